// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package link

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// recvCloexec: not everywhere is there such a flag; descriptors are marked
// right after they were received. A fork in between would leak one.
const recvCloexec = 0

// socketpair keeps forks away until its descriptors are close-on-exec.
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
