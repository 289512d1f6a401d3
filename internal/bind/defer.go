// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"os"

	"golang.org/x/sys/unix"
)

// deferAccept has the kernel keep each connection until its first bytes are
// there, or it was closed, or so many seconds have passed, tcp(7). A second is
// one transmission of SYN-ACK to the kernel, and each further one takes twice as
// long, so that the time becomes the next of 1, 3, 7, 15, 31, 63 … seconds.
func deferAccept(fd, seconds int) error {
	return os.NewSyscallError("setsockopt TCP_DEFER_ACCEPT", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, seconds))
}
