// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import "golang.org/x/sys/unix"

// newSocket makes a blocking socket that no child inherits by accident.
func newSocket(family, kind int) (int, error) {
	return unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
}
