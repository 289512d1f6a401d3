// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"golang.org/x/sys/unix"

	"einhyrningsins/internal/control"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
)

// A worker may have something to speak to us by that nobody else was given: a
// connection to us (-g, EINHORN_SOCK_FD), on which whoever speaks is that worker,
// and only for itself; a socket for what it says of itself, or a pipe
// (--ack-mode notify and fd; notify.go).

// channel is one of these, until it is served.
type channel struct {
	kind link.ChannelKind
	fd   int
}

// takeChannels keeps what came with a row of the hello.
func (o *opening) takeChannels(c *link.Child, fds []int) {
	if o.channels == nil {
		o.channels = map[uint64][]channel{}
	}
	for i, fd := range fds {
		if i >= len(c.Channels) {
			unix.Close(fd)
			continue
		}
		o.channels[c.Serial] = append(o.channels[c.Serial], channel{c.Channels[i], fd})
	}
}

// takeChannel serves what a worker has from its start; none comes if we could
// have no more descriptors. What a worker says of itself is read once it is
// known who it is, with its Spawned.
func (l *loop) takeChannel(m *link.Channel, fds []int) {
	if len(fds) == 0 {
		l.log.Error("a worker cannot speak to us as it should: no descriptor is to be had for it", "serial", m.Serial, "kind", m.Kind)
	}
	for _, fd := range fds {
		if m.Kind != link.ChannelControl {
			l.channels[m.Serial] = append(l.channels[m.Serial], channel{m.Kind, fd})
		} else if err := l.control.AddWorker(fd, m.Serial); err != nil {
			l.log.Error("a worker cannot use its own connection", "serial", m.Serial, "error", err)
		}
	}
}

// listenTo reads what a worker says of itself, now that it is known who it is.
func (l *loop) listenTo(serial uint64) {
	list := l.channels[serial]
	delete(l.channels, serial)
	for _, ch := range list {
		w, _ := l.pool.Worker(serial)
		l.listen(w, ch)
	}
}

// endChannels ends what a worker that is gone had to speak to us by, and returns
// what it had said and was not heard yet.
func (l *loop) endChannels(serial uint64) (last []pool.Event) {
	l.listenTo(serial) // it may have died while no master ran
	for _, e := range l.heard.Remove(serial) {
		l.logSaid(e)
		last = append(last, eventsOf(e)...)
		l.answer(e.Release)
	}
	l.control.EndWorker(serial)
	return last
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
