// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package logging

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// datagramSocket is no worker's to inherit.
func datagramSocket() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
}
