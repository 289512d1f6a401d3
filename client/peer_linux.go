// SPDX-License-Identifier: MIT

package client

import "golang.org/x/sys/unix"

// peerOf returns the credentials of whoever called listen(2), as they were
// then (unix(7), SO_PEERCRED).
func peerOf(fd int) (peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, err
	}
	return peer{pid: int(cred.Pid), uid: cred.Uid}, nil
}
