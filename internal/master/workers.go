// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"golang.org/x/sys/unix"

	"einhyrningsins/internal/control"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/wire"
)

// parkedAck is an ACK of a process that may be a worker whose spawn has not
// been answered yet: workers can be faster than the keeper's word.
type parkedAck struct {
	call  *control.Call
	until uint64 // first serial that was not ordered when it came
}

// workerOf finds the worker that a request speaks of: by the pid that it names
// or else the sender's own, which may also be one of its process group.
func (l *loop) workerOf(c *control.Call) (serial uint64, pid int, ok bool) {
	if c.Peer.Worker != 0 {
		return l.workerOfChannel(c)
	}
	pid = c.PID
	if pid == 0 {
		pid = c.Peer.PID
	}
	return l.workerNamed(pid)
}

// workerNamed finds the worker whose process, or whose group's, pid is.
func (l *loop) workerNamed(pid int) (serial uint64, worker int, ok bool) {
	if serial, ok = l.byPID[pid]; ok {
		return serial, pid, true
	}
	if pid > 0 {
		if group, err := unix.Getpgid(pid); err == nil {
			if serial, ok = l.byPID[group]; ok {
				return serial, group, true
			}
		}
	}
	return 0, pid, false
}

func (l *loop) workerAck(c *control.Call) *wire.Error {
	serial, pid, ok := l.workerOf(c)
	if !ok {
		if until := l.pool.Next(); l.pool.Unanswered(until) {
			l.parked = append(l.parked, parkedAck{c, until})
			return nil
		}
		return l.refuseAck(c, wire.Errorf(wire.Refused, "cannot ACK: process %d is no live worker", pid))
	}
	if !maySpeak(c.Peer, serial, pid) {
		return l.refuseAck(c, wire.Errorf(wire.Refused, "cannot ACK for worker %d: a worker may speak only for itself", pid))
	}
	l.step(pool.Acked{Serial: serial})
	l.answer(func() {
		switch {
		case c.Dialect == control.Einhorn:
			c.DoneAndClose()
		case c.HasID():
			c.Answer("Acknowledged!", nil)
		default:
			c.AnswerAndClose("Acknowledged!", nil)
		}
	})
	return nil
}

// refuseAck gives an error the form of the answer to an ACK: without an id one
// line, then the end of the connection; in einhorn's dialect the end alone.
func (l *loop) refuseAck(c *control.Call, err *wire.Error) *wire.Error {
	l.log.Warn("refused an ACK", "reason", err.Message, "sender", c.Peer.PID, "user", c.Peer.UID)
	switch {
	case c.Dialect == control.Einhorn:
		l.answer(c.DoneAndClose)
	case c.HasID():
		return err
	default:
		l.answer(func() { c.AnswerAndClose(err.Message, nil) })
	}
	return nil
}

// unpark looks again at the ACKs that waited for the answer of a spawn.
func (l *loop) unpark() {
	waiting := l.parked
	l.parked = nil
	for _, a := range waiting {
		_, _, ok := l.workerOf(a.call)
		if !ok && l.pool.Unanswered(a.until) {
			l.parked = append(l.parked, a)
			continue
		}
		l.call(a.call)
	}
}

// workerPing notes a sign of life. Nothing is owed to a ping without an id, not
// even an error: its sender does not read.
func (l *loop) workerPing(c *control.Call) *wire.Error {
	serial, pid, ok := l.workerOf(c)
	var err *wire.Error
	switch {
	case !ok:
		err = wire.Errorf(wire.Refused, "cannot ping: process %d is no live worker", pid)
	case !maySpeak(c.Peer, serial, pid):
		err = wire.Errorf(wire.Refused, "cannot ping for worker %d: a worker may speak only for itself", pid)
	default:
		l.pinged[serial] = ping{at: link.Now(), requestID: c.RequestID}
		if l.cfg.Notifies() {
			l.step(pool.Alive{Serial: serial})
		}
	}
	switch {
	case c.Dialect == control.Einhorn:
		c.DoneAndClose()
		return nil
	case !c.HasID():
		c.Done()
		return nil
	case err != nil:
		return err
	}
	return l.ok(c, nil, "Pinged!")
}
