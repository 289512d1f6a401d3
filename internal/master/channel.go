// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"errors"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/control"
	"einhyrningsins/internal/link"
)

// A worker may have a connection to us from its start (-g, EINHORN_SOCK_FD).
// Whoever speaks there is that worker, and only for itself.

// takeChannel keeps the connection that came with a row of the hello.
func (o *opening) takeChannel(c *link.Child, fds []int) {
	for _, fd := range fds {
		if _, twice := o.channels[c.Serial]; !c.Channel || twice {
			unix.Close(fd)
			continue
		}
		if o.channels == nil {
			o.channels = map[uint64]int{}
		}
		o.channels[c.Serial] = fd
	}
}

// serveChannel serves the connection that came with a message; none came if we
// could have no more descriptors.
func (l *loop) serveChannel(serial uint64, fds []int) {
	err := errors.New("no descriptor is to be had for it")
	for _, fd := range fds {
		err = l.control.AddWorker(fd, serial)
	}
	if err != nil {
		l.log.Error("a worker cannot use its own connection", "serial", serial, "error", err)
	}
}

// workerOfChannel finds the worker that speaks on its own connection. It need
// not name itself; the pid that it names may be one of another namespace. When
// it names another worker, it is this one that is found.
func (l *loop) workerOfChannel(c *control.Call) (serial uint64, pid int, ok bool) {
	if named, pid, ok := l.workerNamed(c.PID); ok && named != c.Peer.Worker {
		return named, pid, true
	}
	for pid, serial := range l.byPID {
		if serial == c.Peer.Worker {
			return serial, pid, true
		}
	}
	return 0, c.PID, false
}

// maySpeak tells whether a peer may speak for this worker.
func maySpeak(p control.Peer, serial uint64, pid int) bool {
	return p.Trusted || p.Worker == serial || p.Speaks(pid)
}
