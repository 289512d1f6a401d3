// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"errors"
	"os"
	"slices"
	"strings"

	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/claim"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/notify"
	"einhyrningsins/internal/ready"

	"golang.org/x/sys/unix"
)

// channel is our end of what a worker, and nobody else, is given to speak to us by: a
// connection of its own, a socket for what it says of itself, or a pipe. The worker
// gets the other end as a descriptor or a name. The keeper neither reads nor writes
// there, and keeps it for the masters to come: each gets a duplicate.
type channel struct {
	Kind link.ChannelKind
	FD   int
	path string // of a socket that goes with it; ""
}

// channelPlan is what each worker is to have.
type channelPlan struct {
	Kinds []link.ChannelKind
	Home  notify.Home
}

// channels is all that a worker has.
type channels []channel

// makeChannels makes them, and returns the descriptors and the environment of a process
// that gets the other ends. theirs is to be closed when it was started. After an
// error ours is empty.
func makeChannels(plan channelPlan, files []uintptr, env []string) (ours channels, theirs []int, _ []uintptr, _ []string, err error) {
	files, env = slices.Clip(files), slices.Clip(env)
	for _, kind := range plan.Kinds {
		fd, their, name := 0, -1, ""
		switch kind {
		case link.ChannelControl:
			fd, their, err = ownConnection()
		case link.ChannelReady:
			fd, their, err = notify.Pipe()
		case link.ChannelNotify:
			fd, name, err = notify.Socket(plan.Home)
			env = append(env, childenv.NotifySocket+"="+name)
		}
		if err != nil {
			ours.close()
			return nil, theirs, files, env, err
		}
		if strings.HasPrefix(name, "@") {
			name = "" // nothing to remove
		}
		ours = append(ours, channel{kind, fd, name})
		if their >= 0 {
			theirs = append(theirs, their)
			files = append(files, uintptr(their))
		}
	}
	return ours, theirs, files, env, nil
}

// ownConnection makes the connection that is one worker's own. The worker's end blocks, as
// programs expect.
func ownConnection() (ours, theirs int, err error) {
	ours, theirs, err = link.Stream()
	if err != nil {
		return 0, 0, err
	}
	if err := unix.SetNonblock(ours, true); err != nil {
		link.CloseFDs([]int{ours, theirs})
		return 0, 0, os.NewSyscallError("fcntl", err)
	}
	return ours, theirs, nil
}

// dup returns duplicates for a master, and what they are; beside an error, those
// that could be had.
func (l channels) dup() (kinds []link.ChannelKind, fds []int, err error) {
	for _, ch := range l {
		fd, derr := unix.FcntlInt(uintptr(ch.FD), unix.F_DUPFD_CLOEXEC, 0)
		if derr != nil {
			err = errors.Join(err, os.NewSyscallError("fcntl", derr))
			continue
		}
		kinds, fds = append(kinds, ch.Kind), append(fds, fd)
	}
	return kinds, fds, err
}

// close closes our ends.
func (l channels) close() {
	for _, ch := range l {
		unix.Close(ch.FD)
		if ch.path != "" {
			_ = os.Remove(ch.path)
		}
	}
}

// channelKinds is what each worker is to have, in the order of its descriptors.
func (k *keeper) channelKinds() (p channelPlan) {
	if k.cfg.SockFD {
		p.Kinds = append(p.Kinds, link.ChannelControl)
	}
	switch k.cfg.Gives() {
	case ready.Socket:
		p.Kinds = append(p.Kinds, link.ChannelNotify)
		p.Home = notify.Home{Dir: claim.SocketsOf(k.cfg.SocketPath), Others: k.cfg.Limits.RunAs != nil}
	case ready.Pipe:
		p.Kinds = append(p.Kinds, link.ChannelReady)
	}
	return p
}

// channelsOf is what a master gets of the channels of a worker that lives.
// Without them the worker can still ACK on the control socket.
func (k *keeper) channelsOf(c *child) ([]link.ChannelKind, []int) {
	if !c.running() {
		return nil, nil
	}
	kinds, fds, err := c.channels.dup()
	if err != nil {
		k.log.Error("cannot hand over what a worker speaks to us by", "pid", c.PID, "error", err)
	}
	return kinds, fds
}
