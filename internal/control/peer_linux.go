// SPDX-License-Identifier: GPL-3.0-or-later

package control

import "golang.org/x/sys/unix"

// peerOf tells who connected fd (SO_PEERCRED, unix(7)).
func peerOf(fd, euid int) Peer {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{UID: -1}
	}
	uid := int(cred.Uid)
	return Peer{PID: max(int(cred.Pid), 0), UID: uid, Trusted: uid == 0 || uid == euid}
}
