// SPDX-License-Identifier: GPL-3.0-or-later

package link

import "golang.org/x/sys/unix"

// recvCloexec makes received descriptors close-on-exec at once, recvmsg(2).
const recvCloexec = unix.MSG_CMSG_CLOEXEC
