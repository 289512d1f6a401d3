// SPDX-License-Identifier: GPL-3.0-or-later

// Package channel makes what a worker, and nobody else, is given to speak to us
// by: a connection of its own, a socket for what it says of itself, or a pipe.
// The worker gets one end as a descriptor or a name. The other is the keeper's,
// who neither reads nor writes there, and keeps it for the masters to come: each
// gets a duplicate.
package channel

import (
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/notify"
)

// Channel is our end of one.
type Channel struct {
	Kind link.ChannelKind
	FD   int
	path string // of a socket that goes with it; ""
}

// Plan is what each worker is to have.
type Plan struct {
	Kinds []link.ChannelKind
	Place notify.Place
}

// List is all that a worker has.
type List []Channel

// Make makes them, and returns the descriptors and the environment of a process
// that gets the other ends. theirs is to be closed when it was started. After an
// error ours is empty.
func Make(plan Plan, files []uintptr, env []string) (ours List, theirs []int, _ []uintptr, _ []string, err error) {
	files, env = slices.Clip(files), slices.Clip(env)
	for _, kind := range plan.Kinds {
		fd, their, name := 0, -1, ""
		switch kind {
		case link.ChannelControl:
			fd, their, err = Pair()
		case link.ChannelReady:
			fd, their, err = notify.Pipe()
		case link.ChannelNotify:
			fd, name, err = notify.Socket(plan.Place)
			env = append(env, childenv.NotifySocket+"="+name)
		}
		if err != nil {
			ours.Close()
			return nil, theirs, files, env, err
		}
		if strings.HasPrefix(name, "@") {
			name = "" // nothing to remove
		}
		ours = append(ours, Channel{kind, fd, name})
		if their >= 0 {
			theirs = append(theirs, their)
			files = append(files, uintptr(their))
		}
	}
	return ours, theirs, files, env, nil
}

// Pair makes the connection that is one worker's own. The worker's end blocks, as
// programs expect.
func Pair() (ours, theirs int, err error) {
	ours, theirs, err = link.Stream()
	if err != nil {
		return 0, 0, err
	}
	if err := unix.SetNonblock(ours, true); err != nil {
		CloseAll([]int{ours, theirs})
		return 0, 0, os.NewSyscallError("fcntl", err)
	}
	return ours, theirs, nil
}

// Dup returns duplicates for a master, and what they are; beside an error, those
// that could be had.
func (l List) Dup() (kinds []link.ChannelKind, fds []int, err error) {
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

// Close closes our ends.
func (l List) Close() {
	for _, ch := range l {
		unix.Close(ch.FD)
		if ch.path != "" {
			_ = os.Remove(ch.path)
		}
	}
}

// CloseAll closes descriptors.
func CloseAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
