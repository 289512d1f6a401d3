// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// maxHandedOutput is how much unsent output of one connection is handed over.
// A client that is further behind gets that much, and is disconnected.
const maxHandedOutput = 8 << 20

// Handed is one connection on its way to the next master.
type Handed struct {
	FD   int    // a duplicate, which belongs to the receiver
	Data []byte // what [Server.Adopt] needs beside it, JSON
}

// handed is the Data of a Handed. Keys may be added, since unknown ones are
// passed over; a meaning must never change.
type handed struct {
	PID      int          `json:"pid"` // of the peer
	UID      int          `json:"uid"`
	Worker   uint64       `json:"worker,omitempty"`   // whose own connection it is
	Active   uint64       `json:"active"`             // orders last activities
	Calls    []handedCall `json:"calls,omitempty"`    // taken and unanswered, in order
	Input    []byte       `json:"input,omitempty"`    // read and not taken
	TooLong  []byte       `json:"too_long,omitempty"` // before Input came too long a line, which begins so and was not answered
	Skipping bool         `json:"skipping,omitempty"` // Input begins with the rest of such a line
	Output   []byte       `json:"output,omitempty"`   // not written yet
	EOF      bool         `json:"eof,omitempty"`      // the peer sends no more
	Ended    bool         `json:"ended,omitempty"`    // no further request is taken
	Deaf     bool         `json:"deaf,omitempty"`     // the peer reads no more
}

type handedCall struct {
	Line  []byte          `json:"line"`
	Group int             `json:"group,omitempty"` // process group of the peer when it was read
	Note  json.RawMessage `json:"note,omitempty"`
}

// againCall is a request that an earlier loop has taken, and not answered.
type againCall handedCall

// Carry notes with a call that the loop keeps for long what the next master's
// loop has to know of it: there the call comes with [Call.Carried]. Without a
// note it comes as if it were new. A later note replaces an earlier one; nil
// takes it back.
func (c *Call) Carry(note any) {
	var raw json.RawMessage
	if note != nil {
		var err error
		if raw, err = json.Marshal(note); err != nil {
			c.conn.srv.log.Error("cannot note what to do with a request after a reload", "error", err)
			return
		}
	}
	c.conn.mu.Lock()
	c.note = raw
	c.conn.mu.Unlock()
}

// Suspend makes the server stand still: when it returns, no goroutine of its
// own is left, nothing is accepted, read, written or delivered, and every
// connection stays open and whole. What the loop answers while the server is
// suspended waits for Resume. The loop calls it, not receiving from Calls
// meanwhile: a request that it has not taken counts as not read.
//
// It returns all connections for the next master, but for workers' own ones
// (AddWorker) that are at rest: who has given us these gives them to the next
// master, too. When there is no descriptor
// to be had for one of them it fails, and returns none. Suspended the server is
// in any case, until Resume or Close.
func (s *Server) Suspend() ([]Handed, error) {
	s.mu.Lock()
	if s.closed || s.suspended.Load() {
		s.mu.Unlock()
		return nil, fmt.Errorf("cannot suspend the control socket: it is not served")
	}
	s.suspended.Store(true)
	close(s.quiet)
	for a := range s.acceptors {
		_ = a.file.SetReadDeadline(aLongTimeAgo)
	}
	for c := range s.conns {
		c.mu.Lock()
		_ = c.file.SetDeadline(aLongTimeAgo)
		c.wake.Broadcast()
		c.mu.Unlock()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return s.handOver()
}

// Resume ends what Suspend or NewSuspended began: all goes on as if nothing
// had happened. It must not be called once another master serves the
// connections.
func (s *Server) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.suspended.Load() {
		return
	}
	s.quiet = make(chan struct{})
	s.suspended.Store(false)
	for c := range s.conns {
		c.start()
	}
	for a := range s.acceptors {
		if !a.retired {
			_ = a.file.SetReadDeadline(noDeadline)
		}
		s.wg.Go(a.run)
	}
}

// start begins to serve c, or goes on. The caller holds srv.mu.
func (c *conn) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		_ = c.file.SetDeadline(noDeadline)
		c.startDrain()
	}
	c.srv.wg.Go(c.serve)
}

// suspended tells the reader to rest. A connection that was closed is brought
// to its end first, unless requests of an earlier loop would be lost with it.
func (c *conn) suspended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.srv.suspended.Load() && (!c.closed || c.owed > 0)
}

// takeAgain hands the requests over that an earlier loop had taken; false when
// the server is suspended meanwhile.
func (c *conn) takeAgain() bool {
	for len(c.again) > 0 {
		if c.request(c.again[0]) {
			c.again = c.again[1:]
			continue
		}
		if c.suspended() {
			return false
		}
		c.again = nil // the server is closed
		c.mu.Lock()
		c.owed = 0
		c.mu.Unlock()
	}
	c.again = nil
	return true
}

// request hands a request over once more.
func (c *conn) request(a againCall) bool {
	call, err := c.parse(a.Line)
	if err != nil { // the master before us understood more
		c.refuse(call, err)
		c.mu.Lock()
		c.owed--
		c.mu.Unlock()
		return true
	}
	call.Peer.Group, call.Carried, call.note, call.again = a.Group, a.Note, a.Note, true
	return c.deliver(call)
}

// untake takes a call that was ended, or not taken, from the books, and tells
// whether c itself is to be forgotten now. Under mu.
func (c *conn) untake(call *Call) (lost bool) {
	c.taken = slices.DeleteFunc(c.taken, func(o *Call) bool { return o == call })
	if len(c.taken) > 0 {
		return false
	}
	c.taken = nil
	return c.lost
}

// keepLost remembers a connection that ends before its calls do: the next
// master must hear of them too. An ACK counts though its sender is gone. The
// caller holds s.mu.
func (s *Server) keepLost(c *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost = len(c.taken) > 0; c.lost {
		s.lost[c] = struct{}{}
	}
}

func (s *Server) forgetLost(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lost, c)
}

// handOver describes all connections. Nothing else runs.
func (s *Server) handOver() (all []Handed, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if err != nil {
			for _, h := range all {
				_ = unix.Close(h.FD)
			}
			all = nil
		}
	}()
	add := func(h handed, fd int, err error) error {
		if err != nil {
			return fmt.Errorf("cannot hand over a client of the control socket: %w", err)
		}
		data, err := json.Marshal(&h)
		all = append(all, Handed{fd, data})
		return err
	}
	for c := range s.conns {
		h := c.describe()
		if h.Worker != 0 && h.atRest() {
			continue
		}
		fd, err := s.dup(c.fd)
		if err := add(h, fd, err); err != nil {
			return all, err
		}
	}
	for c := range s.lost {
		fd, err := deadEnd()
		if err := add(c.describe(), fd, err); err != nil {
			return all, err
		}
	}
	return all, nil
}

// atRest tells whether nothing is to be handed over but the descriptor.
func (h *handed) atRest() bool {
	return len(h.Calls)+len(h.Input)+len(h.TooLong)+len(h.Output) == 0 &&
		!h.Skipping && !h.EOF && !h.Ended && !h.Deaf
}

func dupConn(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }

// deadEnd is a connection whose other end is gone.
func deadEnd() (int, error) {
	fds, err := socketpair()
	if err != nil {
		return -1, err
	}
	_ = unix.Close(fds[1])
	return fds[0], nil
}

func (c *conn) describe() handed {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := handed{
		PID: c.peer.PID, UID: c.peer.UID, Worker: c.peer.Worker, Active: c.active.Load(),
		EOF: c.eof, Ended: c.ended || c.closed, Deaf: c.deaf || c.closed, Output: c.out,
	}
	for _, call := range c.taken {
		h.Calls = append(h.Calls, handedCall{call.line, call.Peer.Group, call.note})
	}
	for _, a := range c.again {
		h.Calls = append(h.Calls, handedCall(a))
	}
	if !h.Ended {
		h.Input, h.TooLong, h.Skipping = c.in.unread(), c.in.untoldHead(), c.in.skipping
	}
	if most := c.srv.maxHandedOutput; len(h.Output) > most {
		h.Output = h.Output[:most]
		h.Calls, h.Input, h.Ended = nil, nil, true
	}
	return h
}

// closeFiles ends a suspended server. The caller holds s.mu.
func (s *Server) closeFiles() {
	for c := range s.conns {
		c.kill()
		delete(s.conns, c)
		_ = c.file.Close()
	}
	for a := range s.acceptors {
		delete(s.acceptors, a)
		_ = a.file.Close()
	}
	for _, a := range s.arrivals {
		a.conns, a.acceptors = nil, nil
	}
	s.settled()
}
