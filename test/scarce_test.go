// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// leaseMain makes a file one that cannot be opened, as if its file server were dead:
// whoever tries hangs until this process ends, or at most for as long as
// /proc/sys/fs/lease-break-time says, fcntl(2). Then it makes another file, to tell
// that it does.
func leaseMain(args []string) int {
	time.AfterFunc(lifetime, func() { os.Exit(99) })
	if len(args) != 2 {
		say("usage: tlease FILE READY")
		return 2
	}
	f, err := os.Open(args[0])
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK)
	}
	if err == nil {
		err = os.WriteFile(args[1], nil, 0o666)
	}
	if err != nil {
		say("cannot lease %s: %v", args[0], err)
		return 1
	}
	select {}
}

// flightMain has many descriptors under way that nobody receives, so that no other
// process of our user can send any: sendmsg(2) fails with ETOOMANYREFS for those
// whose limit of open files is less, unix(7). A file tells when they are, and another
// when it is to end.
func flightMain(args []string) int {
	time.AfterFunc(lifetime, func() { os.Exit(99) })
	count, err := 0, error(nil)
	if len(args) == 3 {
		count, err = strconv.Atoi(args[0])
	}
	if count == 0 || err != nil {
		say("usage: tflight COUNT READY END")
		return 2
	}
	const most = 200 // descriptors with one message; the kernel takes 253
	rights := unix.UnixRights(make([]int, most)...)
	for sent := 0; sent < count; sent += most {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err == nil {
			err = unix.Sendmsg(pair[0], []byte{0}, rights, nil, 0)
		}
		if err != nil {
			say("cannot send descriptors: %v", err)
			return 1
		}
	}
	if err := os.WriteFile(args[1], nil, 0o666); err != nil {
		return 1
	}
	waitForFile(args[2])
	return 0
}
