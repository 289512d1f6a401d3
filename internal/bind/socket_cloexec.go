// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux || freebsd

package bind

import "golang.org/x/sys/unix"

// newSocket makes a blocking TCP socket that no child inherits by accident.
func newSocket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
}
