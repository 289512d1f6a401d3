// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How long to wait after an accept that failed for want of something.
const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = time.Second
	warnEvery    = 10 * time.Second // no flood of clients becomes one of log lines
)

// acceptor takes connections from one listener. It doesn't use the listener's
// own Accept: "accepted by the kernel but not yet known here" must be no state
// that [Server.Arrived] could fall into.
type acceptor struct {
	srv  *Server
	fd   int
	file *os.File // of fd; closed by run only
	raw  syscall.RawConn

	// Under srv.mu:
	accepted uint64 // connections taken
	emptied  uint64 // times that the backlog was found empty
	paused   bool   // takes nothing for a while, whatever comes
	retired  bool   // ends once its backlog is empty

	room   <-chan struct{} // what waitRoom waits for; run's own, as the rest
	err    error           // the last failure
	warned time.Time       // when a failure was last logged
}

func newAcceptor(s *Server, f *os.File) (*acceptor, error) {
	raw, err := f.SyscallConn()
	if err == nil {
		err = f.SetReadDeadline(noDeadline) // fails when the runtime can't poll it
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot serve control socket: %w", err)
	}
	a := &acceptor{srv: s, file: f, raw: raw}
	if err := raw.Control(func(fd uintptr) { a.fd = int(fd) }); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot serve control socket: %w", err)
	}
	return a, nil
}

// aLongTimeAgo as a deadline wakes whoever waits, without closing anything.
var aLongTimeAgo = time.Unix(1, 0)

// retire makes a take what is in its backlog and end. The caller holds srv.mu.
func (a *acceptor) retire() {
	a.retired = true
	_ = a.file.SetReadDeadline(aLongTimeAgo)
}

// step is what came of one attempt to accept.
type step int

const (
	stepTaken  step = iota // a connection was taken, or one that had failed was
	stepEmpty              // there is none
	stepFull               // there is one, but no room
	stepFailed             // the system refused; see acceptor.err
)

func (a *acceptor) run() {
	defer a.end()
	backoff := firstBackoff
	for {
		st, more := a.next()
		if !more {
			return
		}
		switch st {
		case stepTaken:
			backoff = firstBackoff
		case stepFull:
			a.waitRoom(nil)
		case stepFailed:
			if time.Since(a.warned) > warnEvery {
				a.warned = time.Now()
				a.srv.log.Warn("cannot accept control connection, trying again", "err", a.err)
			}
			t := time.NewTimer(backoff)
			a.waitRoom(t.C)
			t.Stop()
			backoff = min(2*backoff, maxBackoff)
		}
	}
}

// next waits for a connection and tries to take it. A retired acceptor doesn't
// wait; false means that it is done.
func (a *acceptor) next() (step, bool) {
	select {
	case <-a.srv.done:
		return stepEmpty, false
	case <-a.srv.quiet:
		return stepEmpty, false
	default:
	}
	st := stepEmpty
	err := a.raw.Read(func(uintptr) bool {
		st = a.try()
		return st != stepEmpty
	})
	if err != nil {
		st = a.try()
		return st, st != stepEmpty
	}
	return st, true
}

// try accepts one connection if there is one and room for it.
func (a *acceptor) try() step {
	s := a.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.suspended.Load() {
		return stepEmpty
	}
	a.paused = false
	if s.full() {
		if !readable(a.fd) {
			return a.empty()
		}
		a.room = s.wantRoom()
		ok, hopeless := s.evict()
		if !ok {
			a.pause(hopeless)
			return stepFull
		}
		s.waiters.Add(-1)
	}
	fd, err := s.accept(a.fd)
	switch {
	case err == nil:
		a.accepted++
		s.addConn(fd, a)
		s.settleAcceptor(a)
		return stepTaken
	case errors.Is(err, unix.EAGAIN):
		return a.empty()
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.EPROTO):
		return stepTaken
	case !readable(a.fd): // Linux looks for a free descriptor before it looks for a connection
		return a.empty()
	}
	a.err = err
	a.room = s.wantRoom()
	if errors.Is(err, unix.EMFILE) {
		// Our own limit is lower than maxConns: so it is what makes us full.
		s.evict()
	}
	a.pause(true)
	return stepFailed
}

func (a *acceptor) empty() step {
	a.emptied++
	a.srv.settleAcceptor(a)
	return stepEmpty
}

// pause goes before waitRoom. When stuck, no deadline waits for a's backlog.
func (a *acceptor) pause(stuck bool) {
	a.paused = stuck
	a.srv.settleAcceptor(a)
}

// waitRoom waits until a connection ended or went idle, or the timer fires.
func (a *acceptor) waitRoom(timer <-chan time.Time) {
	select {
	case <-a.room:
	case <-timer:
	case <-a.srv.quiet:
	case <-a.srv.done:
	}
	a.srv.waiters.Add(-1)
}

// end closes a, unless it only rests because the server is suspended.
func (a *acceptor) end() {
	s := a.srv
	s.mu.Lock()
	if s.suspended.Load() && !s.closed {
		s.mu.Unlock()
		return
	}
	delete(s.acceptors, a)
	a.paused = true
	s.settleAcceptor(a)
	s.mu.Unlock()
	// Not under s.mu: Close waits for those inside raw.Read, and try takes it.
	_ = a.file.Close()
}

// addConn starts to serve a connection that a took. The caller holds s.mu.
func (s *Server) addConn(fd int, a *acceptor) {
	c, err := newConn(s, fd, peerOf(fd, s.euid))
	if err != nil {
		s.log.Warn("cannot serve control connection", "err", err)
		return
	}
	s.conns[c] = struct{}{}
	s.expectFrom(c, a)
	s.wg.Go(c.serve)
}
