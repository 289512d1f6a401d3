// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package bind

import "golang.org/x/sys/unix"

// maxBacklog returns the longest queue that listen(2) grants. Both macOS and
// FreeBSD know the limit under this name.
func maxBacklog() int {
	n, err := unix.SysctlUint32("kern.ipc.somaxconn")
	if err != nil || n == 0 || n > 1<<16-1 {
		return unix.SOMAXCONN
	}
	return int(n)
}
