// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package control

import "golang.org/x/sys/unix"

// localLevel is the level of LOCAL_PEERCRED (SOL_LOCAL): 0 on all BSDs.
const localLevel = 0

// peerOf tells who connected fd. Its pid is not told in a form that these
// systems share, so only the user counts here.
func peerOf(fd, euid int) Peer {
	cred, err := unix.GetsockoptXucred(fd, localLevel, unix.LOCAL_PEERCRED)
	if err != nil {
		return Peer{UID: -1}
	}
	uid := int(cred.Uid)
	return Peer{UID: uid, Trusted: uid == 0 || uid == euid}
}
