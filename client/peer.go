// SPDX-License-Identifier: MIT

package client

import (
	"fmt"
	"net"
	"os"
)

// peer is who listens at the other end.
type peer struct {
	pid int // 0 when the system does not tell
	uid uint32
}

// lookAt asks the system who is at the other end of nc.
func lookAt(nc *net.UnixConn) (peer, error) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return peer{}, fmt.Errorf("cannot look at the other end of %s: %w", nc.RemoteAddr(), err)
	}
	var p peer
	var inner error
	if err = raw.Control(func(fd uintptr) { p, inner = peerOf(int(fd)) }); err == nil {
		err = inner
	}
	if err != nil {
		return peer{}, fmt.Errorf("cannot look at the other end of %s: %w", nc.RemoteAddr(), err)
	}
	return p, nil
}

// check refuses a server that is run by neither root nor our own effective
// user: in a directory like /tmp anyone may have put a socket there first.
func (p peer) check(path string) error {
	return p.checkFor(path, uint32(os.Geteuid()))
}

func (p peer) checkFor(path string, euid uint32) error {
	if p.uid == 0 || p.uid == euid {
		return nil
	}
	return &PeerError{Path: path, PID: p.pid, UID: p.uid}
}
