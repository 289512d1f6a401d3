// SPDX-License-Identifier: GPL-3.0-or-later

package logging

import "golang.org/x/sys/unix"

// datagramSocket is no worker's to inherit.
func datagramSocket() (int, error) {
	return unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
}
