// SPDX-License-Identifier: GPL-3.0-or-later

package control

import "golang.org/x/sys/unix"

// Peer is who made a request, as the kernel tells it.
type Peer struct {
	Worker  uint64 // serial of the worker whose own connection it is, of whom nothing else is told; 0: some other
	PID     int    // of who connected; 0 when the system doesn't say (another pid namespace)
	Group   int    // its process group when the request was read; 0 when it was already gone
	UID     int    // its user when it connected; -1 when the system doesn't say
	Trusted bool   // root or our own effective user
}

// Speaks reports whether p is the worker with that pid or belongs to its
// process group, so that it may speak for it.
func (p Peer) Speaks(workerPID int) bool {
	return workerPID > 0 && (p.PID == workerPID || p.Group == workerPID)
}

// current returns p with its process group as it is now.
func (p Peer) current() Peer {
	p.Group = 0
	if p.PID > 0 { // 0 would ask for our own
		if g, err := unix.Getpgid(p.PID); err == nil {
			p.Group = g
		}
	}
	return p
}

// peerOf tells who connected fd (SO_PEERCRED, unix(7)).
func peerOf(fd, euid int) Peer {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{UID: -1}
	}
	uid := int(cred.Uid)
	return Peer{PID: max(int(cred.Pid), 0), UID: uid, Trusted: uid == 0 || uid == euid}
}
