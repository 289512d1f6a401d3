// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux && !freebsd

package bind

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// newSocket makes a blocking socket that no child inherits by accident.
// Without SOCK_CLOEXEC the lock keeps a fork of this process from coming in
// between.
func newSocket(family, kind int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, kind, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
}
