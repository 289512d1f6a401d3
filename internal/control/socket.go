// SPDX-License-Identifier: GPL-3.0-or-later

package control

import "golang.org/x/sys/unix"

// acceptConn takes a connection without waiting; it is non-blocking and not
// inherited by workers.
func acceptConn(fd int) (int, error) {
	nfd, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	return nfd, err
}

// pollEnd is what poll(2) reports once a peer sends no more, even if it still
// reads. POLLRDHUP has EPOLLRDHUP's value.
const pollEnd = unix.EPOLLRDHUP | unix.POLLHUP

// unread returns how many bytes wait to be read from fd (SIOCINQ, unix(7)).
func unread(fd int) int {
	n, err := unix.IoctlGetUint32(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return int(n)
}

// hungUp tells whether the peer neither sends nor reads any more. A peer that
// only said that it sends no more (shutdown(2)) still waits for answers.
func hungUp(fd int) bool { return pollNow(fd, 0)&(unix.POLLHUP|unix.POLLERR) != 0 }

// socketpair makes two ends of a connection that no child inherits.
func socketpair() ([2]int, error) {
	return unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}
