// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package control

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// acceptConn takes a connection without waiting; it is non-blocking and not
// inherited by workers.
func acceptConn(fd int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	nfd, _, err := unix.Accept(fd)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(nfd)
	if err := unix.SetNonblock(nfd, true); err != nil {
		_ = unix.Close(nfd)
		return -1, err
	}
	return nfd, nil
}

// pollEnd is what poll(2) reports once a peer sends no more.
const pollEnd = unix.POLLHUP

// fionread is _IOR('f', 127, int) of sys/filio.h, the same on all BSDs.
const fionread = 0x4004667f

// unread returns how many bytes wait to be read from fd.
func unread(fd int) int {
	n, err := unix.IoctlGetInt(fd, fionread)
	if err != nil {
		return 0
	}
	return n & 0xffffffff
}

// hungUp can't be told here: POLLHUP may also mean that the peer only sends no
// more. A write will find out.
func hungUp(int) bool { return false }

// socketpair makes two ends of a connection that no child inherits.
func socketpair() ([2]int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	return fds, err
}
