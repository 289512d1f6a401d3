// SPDX-License-Identifier: GPL-3.0-or-later

package link

import "golang.org/x/sys/unix"

// recvCloexec makes received descriptors close-on-exec at once, recvmsg(2).
const recvCloexec = unix.MSG_CMSG_CLOEXEC

// socketpair makes descriptors that no child inherits, whatever forks at this
// moment, socket(2).
func socketpair() ([2]int, error) {
	return unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
}
