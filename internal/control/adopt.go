// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/wire"
)

// Adopt takes a connection over from the master before this one, see
// [Server.Suspend]: what was not written yet is written first, the requests
// under way come out of Calls once more, then what was read and not handled,
// and then all goes on. It takes fd over, and closes it when it fails.
func (s *Server) Adopt(fd int, data []byte) error {
	var h handed
	err := json.Unmarshal(data, &h)
	if err == nil {
		err = h.check()
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("cannot take over a client of the control socket: %w", err)
	}
	unix.CloseOnExec(fd)
	c, err := newConn(s, fd, h.peer(s.euid)) // closes fd when it fails
	if err != nil {
		return fmt.Errorf("cannot take over a client of the control socket: %w", err)
	}
	c.restore(&h)
	if err := s.adopt(c, h.Active); err != nil {
		_ = c.file.Close()
		return fmt.Errorf("cannot take over a client of the control socket: %w", err)
	}
	return nil
}

func (s *Server) adopt(c *conn, active uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errors.New("it is closed")
	case c.peer.Worker != 0:
		if err := s.takePlace(c); err != nil {
			return err
		}
	case s.full() && c.owed == 0: // more than there may be have ended before their calls
		return fmt.Errorf("there are %d already", len(s.conns))
	}
	c.active.Store(active)
	for {
		now := s.activity.Load()
		if now >= active || s.activity.CompareAndSwap(now, active) {
			break
		}
	}
	s.conns[c] = struct{}{}
	if !s.suspended.Load() {
		c.start()
	}
	return nil
}

// check holds what was handed over to the limits that were in force before.
func (h *handed) check() error {
	bytes := 0
	for i := range h.Calls {
		c := &h.Calls[i]
		if len(c.Line) == 0 || len(c.Line) >= wire.MaxLine || c.Group < 0 {
			return fmt.Errorf("a request under way has %d bytes", len(c.Line))
		}
		if string(c.Note) == "null" {
			c.Note = nil
		}
		bytes += len(c.Line)
	}
	switch {
	case len(h.Calls) > maxUnderWay || bytes > 2*wire.MaxLine:
		return fmt.Errorf("%d requests of %d bytes are under way", len(h.Calls), bytes)
	case len(h.Input) > wire.MaxLine:
		return fmt.Errorf("%d bytes of input are left", len(h.Input))
	case len(h.Output) > maxHandedOutput:
		return fmt.Errorf("%d bytes of output are left", len(h.Output))
	case h.PID < 0 || h.UID < -1:
		return fmt.Errorf("its process is %d, its user %d", h.PID, h.UID)
	}
	return nil
}

func (h *handed) peer(euid int) Peer {
	if h.Worker != 0 {
		return workerPeer(h.Worker)
	}
	return Peer{PID: h.PID, UID: h.UID, Trusted: h.UID == 0 || h.UID == euid}
}

// restore makes c what it was. Nobody else knows c yet.
func (c *conn) restore(h *handed) {
	for _, call := range h.Calls {
		c.again = append(c.again, againCall(call))
	}
	c.owed = len(c.again)
	c.eof, c.ended, c.deaf = h.EOF, h.Ended, h.Deaf
	if !c.deaf {
		c.out = h.Output
	}
	if !c.ended {
		c.in.restore(h.Input, h.TooLong, h.Skipping)
	}
	// One for each thing that Arrived has to wait for.
	c.read = uint64(c.owed + c.in.end)
	if c.in.untold {
		c.read++
	}
	if c.eof {
		c.read++
	}
}
