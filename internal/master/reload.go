// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/control"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/version"
	"einhyrningsins/internal/wire"
)

// handed is what an old master hands to the next: the connections of clients
// as they are, and what nobody saves.
type handed struct {
	clients []control.Handed
	state   handedState
	whole   bool // nothing is missing: no ACK can be lost
}

// handedState goes from master to master as JSON, and the next may be newer or
// older.
type handedState struct {
	Pings []handedPing                `json:"pings"`
	Told  map[uint64][]syscall.Signal `json:"told"`

	Events    []json.RawMessage `json:"events"` // the last, as they are answered
	LastEvent uint64            `json:"last_event"`
}

type handedPing struct {
	Serial    uint64        `json:"serial"`
	At        time.Duration `json:"at"`
	RequestID string        `json:"request_id"`
}

// takeOver reads what the old master hands over. If it dies over that, what is
// missing is lost as if there had been no reload. The keeper sees to it that
// this does not take for ever.
func takeOver(from *os.File) (handed, error) {
	var h handed
	conn, err := link.New(from)
	if err != nil {
		return h, fmt.Errorf("cannot take over from the old master: %w", err)
	}
	defer conn.Close()
	for in := range conn.In() {
		switch m := in.Msg.(type) {
		case *link.Client:
			if len(in.FDs) != 1 {
				return h, errors.New("cannot take over a client from the old master: no descriptor is to be had for it")
			}
			h.clients = append(h.clients, control.Handed{FD: in.FDs[0], Data: m.Data})
			continue
		case *link.Luggage:
			_ = json.Unmarshal(m.Data, &h.state) // what cannot be read is lost
		case *link.Handed:
			h.whole = true
			return h, nil
		}
		for _, fd := range in.FDs {
			unix.Close(fd)
		}
	}
	if err := conn.Err(); err != io.EOF { // the old one lives, and can go on
		return h, fmt.Errorf("cannot take over from the old master: %w", err)
	}
	return h, nil
}

// awaitLead waits until the keeper has taken our word that we are live. Clients
// are not dealt with before, for until then they may be the old master's.
func (l *loop) awaitLead() bool {
	for in := range l.link.In() {
		if _, ok := in.Msg.(*link.Lead); ok {
			return true
		}
		l.news(in)
	}
	return false // the keeper is gone, or does not want us
}

// openControl makes ready to serve clients, first those that were handed over.
func (l *loop) openControl(o *opening) (err error) {
	l.control, err = control.NewSuspended(o.listener, l.log)
	if err != nil {
		return fmt.Errorf("cannot serve the control socket: %w", err)
	}
	for _, c := range o.handed.clients {
		if err := l.control.Adopt(c.FD, c.Data); err != nil {
			l.log.Warn("lost a client", "error", err)
		}
	}
	for serial, list := range o.channels {
		for _, ch := range list {
			l.takeChannel(&link.Channel{Serial: serial, Kind: ch.kind}, []int{ch.fd})
		}
	}
	return nil
}

// reload asks the keeper for a new master. Its answer is the next master's, or
// ours if that fails.
func (l *loop) reload(c *control.Call) *wire.Error {
	switch {
	case len(c.Args) > 0:
		return wire.Errorf(wire.BadRequest, "cannot reload %q: it takes no argument", shorten(c.Args[0]))
	case l.stopping():
		return wire.Errorf(wire.Stopping, "cannot reload: the master is stopping")
	}
	c.Carry(carried{ReloadedFrom: version.Version, ReloadedPID: os.Getpid()})
	l.reloads = append(l.reloads, c)
	if len(l.reloads) == 1 {
		l.link.Send(&link.Reload{})
	}
	return nil
}

// carried is what a master notes of a call for the next one.
type carried struct {
	Generation   int    `json:"generation,omitempty"` // it watches this upgrade
	ReloadedFrom string `json:"reloaded_from,omitempty"`
	ReloadedPID  int    `json:"reloaded_pid,omitempty"`
}

// goOnWith takes a call that an earlier master has begun to answer.
func (l *loop) goOnWith(c *control.Call) *wire.Error {
	var note carried
	err := json.Unmarshal(c.Carried, &note)
	switch {
	case err == nil && note.Generation > 0:
		return l.rejoin(c, note.Generation)
	case err == nil && note.ReloadedPID > 0:
		data := wire.Reloaded{PID: os.Getpid(), Version: version.Version, WasPID: note.ReloadedPID, WasVersion: note.ReloadedFrom}
		return l.ok(c, data, "Reloaded! Master %d (version %s) took over from master %d (version %s)", data.PID, data.Version, data.WasPID, data.WasVersion)
	}
	return wire.Errorf(wire.Refused, "cannot go on with %s: what the old master noted of it cannot be read", c.Command)
}

// standStill hands everything over once nothing is under way, and tells the
// keeper that from here on nothing is decided.
func (l *loop) standStill() {
	stream := os.NewFile(uintptr(l.quiesce), "handover")
	l.quiesce = -1
	conn, err := link.New(stream)
	if err != nil {
		l.link.Send(&link.Quiesced{Failure: err.Error()})
		return
	}
	l.stopListening()
	clients, err := l.control.Suspend()
	if err != nil {
		conn.Close()
		l.goOnServing()
		l.link.Send(&link.Quiesced{Failure: err.Error()})
		return
	}
	state := handedState{Told: l.told, Events: l.ring.lines, LastEvent: l.ring.last}
	for serial, p := range l.pinged {
		state.Pings = append(state.Pings, handedPing{serial, p.at, p.requestID})
	}
	data, _ := json.Marshal(state) // plain data
	for _, c := range clients {
		conn.Send(&link.Client{Data: c.Data}, c.FD)
	}
	conn.Send(&link.Luggage{Data: data})
	conn.Send(&link.Handed{})
	if err := conn.Broken(); err != nil && !link.OtherGone(err) {
		conn.Close()
		l.goOnServing()
		l.link.Send(&link.Quiesced{Failure: err.Error()})
		return
	}
	l.handover = conn
	l.flush(time.Second)
	l.link.Send(&link.Quiesced{})
}

// goOnServing undoes what was done to stand still.
func (l *loop) goOnServing() {
	l.control.Resume()
	l.heard.Resume()
}

// reloadFailed goes on as if nothing had been.
func (l *loop) reloadFailed(m *link.ReloadFailed) {
	if l.quiesce >= 0 {
		unix.Close(l.quiesce)
		l.quiesce = -1
	}
	if l.handover != nil {
		l.handover.Close()
		l.handover = nil
		l.goOnServing()
	}
	calls := l.reloads
	l.reloads = nil
	l.happened(slog.LevelError, wire.Event{Kind: eventReloadFailed, Text: "cannot reload; this master stays", Reason: m.Reason})
	for _, c := range calls {
		err := wire.Errorf(wire.ReloadFailed, "cannot reload; the old master stays: %s", m.Reason)
		l.answer(func() { c.Fail(err) })
	}
	later := l.later
	l.later = nil
	for _, in := range later {
		l.news(in)
	}
}
