// SPDX-License-Identifier: MIT

//go:build darwin || freebsd

package client

import "golang.org/x/sys/unix"

// solLocal is SOL_LOCAL, the level of options of unix sockets (unix(4)).
const solLocal = 0

// peerOf returns the credentials of whoever called listen(2), as they were
// then (unix(4), LOCAL_PEERCRED). They name no process.
func peerOf(fd int) (peer, error) {
	cred, err := unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
	if err != nil {
		return peer{}, err
	}
	return peer{uid: cred.Uid}, nil
}
