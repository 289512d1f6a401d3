// SPDX-License-Identifier: GPL-3.0-or-later

// Package control is the server of the control socket. It decides nothing: it
// takes connections, cuts what they say into requests, hands these to the
// master's loop as [Call]s and carries the loop's answers back.
//
//   - server.go: the [Server], what it counts and how it ends.
//   - accept.go: one goroutine a listener; what happens when there are too many
//     connections or too few file descriptors.
//   - conn.go: one goroutine a connection reads, parses and waits until the
//     loop has taken the call.
//   - output.go: answers are written by the loop itself, as far as the socket
//     takes them; a goroutine writes the rest and lives no longer than that.
//   - call.go: what the loop may do with a request.
//   - arrived.go: "all that was there before this deadline", see
//     [Server.Arrived].
//   - handover.go: the server stands still, and all connections go to the next
//     master as they are; adopt.go: there they come in.
//   - lines.go: bytes to lines; dialect.go: whose they are, and the words for
//     each.
//   - worker.go: connections that a worker has from its start.
//   - peer.go: who is at the other end.
//
// The loop never waits for a client: each of its calls writes without blocking
// or queues. Clients wait for the loop: [Server.Calls] has no buffer, so a
// client that asks faster than the loop answers is slowed down by its own
// socket. Nothing here ticks: with nobody talking, no goroutine wakes.
//
// Locks: Server.mu before conn.mu. Both are held for system calls that don't
// block (accept, read, write, poll without a timeout), never while waiting.
package control

import (
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Limits, see docs/protocol.md.
const (
	maxConns     = 1024             // connections at a time
	maxUnderWay  = 64               // unanswered requests of one connection before it isn't read from
	pauseOutput  = 64 << 10         // unsent bytes of one connection before it isn't read from
	dropProgress = 256 << 10        // unsent bytes of one connection before progress lines are dropped
	writeTimeout = 10 * time.Second // for each [maxChunk] of what a full socket didn't take
	maxChunk     = 64 << 10
)

// Server serves the control socket. Its methods are for one goroutine, the
// loop.
type Server struct {
	log          *slog.Logger
	calls        chan *Call
	done         chan struct{}
	euid         int
	maxConns     int
	writeTimeout time.Duration

	maxHandedOutput int

	accept func(fd int) (int, error) // acceptConn, but for tests
	dup    func(fd int) (int, error) // dupConn, likewise

	wg       sync.WaitGroup
	activity atomic.Uint64 // orders the connections' last activities
	waiters  atomic.Int32  // acceptors that wait for room

	suspended atomic.Bool   // changed under mu
	quiet     chan struct{} // closed while suspended; renewed while nothing runs

	awaited atomic.Int32 // len(arrivals)

	mu        sync.Mutex
	closed    bool
	conns     map[*conn]struct{}
	workers   map[uint64]*conn   // of conns, those that are a worker's own; no limit counts these
	lost      map[*conn]struct{} // ended, but not all of their calls
	acceptors map[*acceptor]struct{}
	arrivals  []*arrival
	pollfds   []unix.PollFd // of Arrived, kept between calls
	polled    []*conn

	roomMu sync.Mutex    // after all others
	room   chan struct{} // closed and renewed when a connection may have become evictable
}

// New starts to serve a socket that listens, and takes it over. It fails when f
// is of no use (closed already, or made of a descriptor that blocks).
func New(f *os.File, log *slog.Logger) (*Server, error) {
	s, err := NewSuspended(f, log)
	if err != nil {
		return nil, err
	}
	s.Resume()
	return s, nil
}

// NewSuspended is New for a server that accepts and reads nothing before
// [Server.Resume] is called. Until then it is the time to [Server.Adopt].
func NewSuspended(f *os.File, log *slog.Logger) (*Server, error) {
	s := newServer(log)
	s.suspended.Store(true)
	close(s.quiet)
	if err := s.Replace(f); err != nil {
		return nil, err
	}
	return s, nil
}

func newServer(log *slog.Logger) *Server {
	return &Server{
		log:          log,
		calls:        make(chan *Call),
		done:         make(chan struct{}),
		euid:         os.Geteuid(),
		maxConns:     maxConns,
		writeTimeout: writeTimeout,

		maxHandedOutput: maxHandedOutput,

		accept:    acceptConn,
		dup:       dupConn,
		quiet:     make(chan struct{}),
		conns:     make(map[*conn]struct{}),
		lost:      make(map[*conn]struct{}),
		workers:   make(map[uint64]*conn),
		acceptors: make(map[*acceptor]struct{}),
		room:      make(chan struct{}),
	}
}

// Calls is where requests come out, in the order in which they were read; those
// of one connection are in its own order. It is unbuffered and never closed.
func (s *Server) Calls() <-chan *Call { return s.calls }

// Replace serves f (taken over as by [New]) instead of the listeners served so
// far: what waits in their backlogs is still taken, then they are closed.
// Connections live on. When it fails, all stays as it was and f is closed.
func (s *Server) Replace(f *os.File) error {
	a, err := newAcceptor(s, f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return a.file.Close()
	}
	for old := range s.acceptors {
		old.retire()
	}
	s.acceptors[a] = struct{}{}
	if !s.suspended.Load() {
		s.wg.Go(a.run)
	}
	return nil
}

// Close stops accepting and reading, gives clients at most timeout to read what
// is queued for them, and closes every connection. Requests not yet answered
// remain so. All goroutines of s have ended when it returns. Of a suspended
// server it only closes the file descriptors: who was handed the connections
// goes on with them.
func (s *Server) Close(timeout time.Duration) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.done)
	if s.suspended.Load() {
		s.closeFiles()
		s.mu.Unlock()
		return
	}
	for a := range s.acceptors {
		a.retire()
	}
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.finishOutput()
	}

	ended := make(chan struct{})
	go func() { s.wg.Wait(); close(ended) }()
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case <-ended:
		return
	case <-late.C:
	}
	for _, c := range conns {
		c.kill()
	}
	<-ended
}

// forget takes c out of the books; its file is closed by its reader only.
// The caller holds s.mu.
func (s *Server) forget(c *conn) {
	delete(s.conns, c)
	s.forgetWorker(c)
	s.keepLost(c)
	s.settle(c, uncounted)
}

// freed tells acceptors that wait for room that a connection ended or may have
// become idle.
func (s *Server) freed() {
	if s.waiters.Load() == 0 {
		return
	}
	s.roomMu.Lock()
	close(s.room)
	s.room = make(chan struct{})
	s.roomMu.Unlock()
}

// wantRoom makes freed close the channel that it returns. It is called before
// looking for room, so that nothing that ends meanwhile is missed.
func (s *Server) wantRoom() <-chan struct{} {
	s.roomMu.Lock()
	defer s.roomMu.Unlock()
	s.waiters.Add(1)
	return s.room
}

// evict makes room by closing the longest idle connection without a request
// under way, or else the longest idle one that doesn't read its answers. It
// fails when there is none; hopeless means that this won't change before the
// loop answers something that it has already taken. The caller holds s.mu.
func (s *Server) evict() (ok, hopeless bool) {
	var idle, deaf longestIdle
	hopeless = true
	for c := range s.conns {
		if c.peer.Worker != 0 {
			continue
		}
		switch c.use() {
		case useIdle:
			idle.add(c)
			hopeless = false
		case useUnsent:
			deaf.add(c)
		case useMoving:
			hopeless = false
		}
	}
	victim := deaf.conns[0]
	for _, c := range idle.conns {
		if c != nil && !c.hasUnread() {
			victim = c
			break
		}
	}
	if victim == nil {
		return false, hopeless
	}
	s.forget(victim)
	victim.kill()
	return true, false
}

// longestIdle keeps the few connections that did nothing for the longest time,
// the longest idle first. A few are enough: when all of them have bytes that
// wait to be read, their readers are about to be heard of.
type longestIdle struct {
	conns [8]*conn
	at    [8]uint64
}

func (l *longestIdle) add(c *conn) {
	at := c.active.Load()
	for i, k := range l.conns {
		if k == nil {
			l.conns[i], l.at[i] = c, at
			return
		}
		if at < l.at[i] {
			l.conns[i], c = c, k
			l.at[i], at = at, l.at[i]
		}
	}
}
