// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"golang.org/x/sys/unix"
)

// uncounted, as a number of handled bytes, means: don't wait for this one.
const uncounted = ^uint64(0)

// maxBacklog is the most connections that one backlog holds: the kernel's
// default for net.core.somaxconn, and the one that accept(2) may have in hand.
const maxBacklog = 4096 + 1

// arrival is one call of Arrived that isn't over. Under Server.mu.
type arrival struct {
	ch        chan struct{}
	conns     map[*conn]uint64          // until their handled is as much
	acceptors map[*acceptor]backlogMark // until one of the two is reached
}

type backlogMark struct{ emptied, accepted uint64 }

// Arrived is for the moment when a deadline is due: what clients had sent
// before must count first, even if nobody here had the time to read it (a
// master that was stopped, a busy machine). It returns nil when nothing is
// there. Otherwise the channel is closed once all that the kernel held when
// Arrived was called was read and its requests taken from [Server.Calls], which
// the loop goes on to receive from. What arrives later isn't waited for, nor a
// connection that isn't read from because of its limits. While the server is
// suspended nothing arrives: an earlier channel stays open, and nil is returned.
func (s *Server) Arrived() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.suspended.Load() {
		return nil
	}
	// Before looking: whoever catches up from now on comes here and waits for mu.
	s.awaited.Add(1)
	a := s.look()
	if a.over() {
		s.awaited.Add(-1)
		return nil
	}
	s.arrivals = append(s.arrivals, a)
	return a.ch
}

// look asks the kernel what is there.
func (s *Server) look() *arrival {
	a := &arrival{ch: make(chan struct{})}
	fds, conns := s.pollfds[:0], s.polled[:0]
	for c := range s.conns {
		fds = append(fds, pollFd(c.fd))
		conns = append(conns, c)
	}
	var acceptors []*acceptor
	for k := range s.acceptors {
		fds = append(fds, pollFd(k.fd))
		acceptors = append(acceptors, k)
	}
	poll(fds)
	for i, c := range conns {
		a.expectConn(c, fds[i].Revents)
	}
	for i, k := range acceptors {
		if fds[len(conns)+i].Revents != 0 && !k.paused {
			if a.acceptors == nil {
				a.acceptors = make(map[*acceptor]backlogMark)
			}
			a.acceptors[k] = backlogMark{k.emptied + 1, k.accepted + maxBacklog}
		}
	}
	clear(conns)
	if s.pollfds, s.polled = fds, conns; cap(fds) > 64 {
		s.pollfds, s.polled = nil, nil
	}
	return a
}

func (a *arrival) expectConn(c *conn, revents int16) {
	target := c.sent(revents)
	if target == 0 {
		return
	}
	if a.conns == nil {
		a.conns = make(map[*conn]uint64)
	}
	a.conns[c] = target
}

func (a *arrival) over() bool { return len(a.conns) == 0 && len(a.acceptors) == 0 }

// sent returns how much c.handled will be when all that is there now is
// handled; 0 when it is already, or won't be because c isn't read from. The
// caller holds srv.mu; c is in srv.conns.
func (c *conn) sent(revents int16) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused || (c.closed || c.ended) && c.owed == 0 && !c.handing {
		return 0
	}
	target := c.read
	if revents != 0 && !c.eof && !c.ended {
		target += uint64(unread(c.fd))
		if revents&pollEnd != 0 {
			target++
		}
	}
	if target == c.handled {
		return 0
	}
	return target
}

// expectFrom makes those who wait for k's backlog wait for c, which came from
// it. The caller holds mu.
func (s *Server) expectFrom(c *conn, k *acceptor) {
	for _, a := range s.arrivals {
		if _, ok := a.acceptors[k]; ok {
			a.expectConn(c, pollNow(c.fd, wanted))
		}
	}
}

// settleNow is settle for those who don't hold mu.
func (s *Server) settleNow(c *conn, handled uint64) {
	if s.awaited.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(c, handled)
}

// settle notes how far c is. The caller holds mu.
func (s *Server) settle(c *conn, handled uint64) {
	for _, a := range s.arrivals {
		if target, ok := a.conns[c]; ok && handled >= target {
			delete(a.conns, c)
		}
	}
	s.settled()
}

// settleAcceptor notes how far k is. The caller holds mu.
func (s *Server) settleAcceptor(k *acceptor) {
	for _, a := range s.arrivals {
		if m, ok := a.acceptors[k]; ok && (k.paused || k.emptied >= m.emptied || k.accepted >= m.accepted) {
			delete(a.acceptors, k)
		}
	}
	s.settled()
}

// settled tells those for whom all has arrived.
func (s *Server) settled() {
	rest := s.arrivals[:0]
	for _, a := range s.arrivals {
		if !a.over() {
			rest = append(rest, a)
			continue
		}
		s.awaited.Add(-1)
		close(a.ch)
	}
	clear(s.arrivals[len(rest):])
	s.arrivals = rest
}

// wanted is what Arrived asks poll(2) for.
const wanted = unix.POLLIN | pollEnd

func pollFd(fd int) unix.PollFd { return unix.PollFd{Fd: int32(fd), Events: wanted} }

// poll asks without waiting. When it can't (more fds than RLIMIT_NOFILE has),
// something is there everywhere, so that all are looked at.
func poll(fds []unix.PollFd) {
	_, err := ignoringEINTR(func() (int, error) { return unix.Poll(fds, 0) })
	if err != nil {
		for i := range fds {
			fds[i].Revents = unix.POLLIN
		}
	}
}

func pollNow(fd int, events int16) int16 {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	_, err := ignoringEINTR(func() (int, error) { return unix.Poll(fds[:], 0) })
	if err != nil {
		return 0
	}
	return fds[0].Revents
}

func readable(fd int) bool { return pollNow(fd, unix.POLLIN) != 0 }
