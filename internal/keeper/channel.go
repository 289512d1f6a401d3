// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"os"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
)

// channelPair makes the connection that is one worker's own: the master gets a
// duplicate of our end, the worker theirs, which blocks as programs expect.
func channelPair() (ours, theirs int, err error) {
	ours, theirs, err = link.Stream()
	if err != nil {
		return 0, 0, err
	}
	if err := unix.SetNonblock(ours, true); err != nil {
		unix.Close(ours)
		unix.Close(theirs)
		return 0, 0, os.NewSyscallError("fcntl", err)
	}
	return ours, theirs, nil
}

// channelOf is what a master gets of the connection of a worker that lives.
// Without it the worker can still ACK on the control socket.
func (k *keeper) channelOf(c *child) (fd int, ok bool) {
	if c.channel == 0 || !c.running() {
		return 0, false
	}
	fd, err := unix.FcntlInt(uintptr(c.channel), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		k.log.Error("cannot hand over a worker's own connection", "pid", c.PID, "error", err)
		return 0, false
	}
	return fd, true
}

// closeChannel is for a child that is forgotten.
func (c *child) closeChannel() {
	if c.channel != 0 {
		unix.Close(c.channel)
		c.channel = 0
	}
}
