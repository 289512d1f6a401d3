// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// AddWorker serves the connection that a worker has from its start
// (EINHORN_SOCK_FD): who speaks there is that worker, known by its serial number,
// whatever its user and process. It takes fd over. There is one such connection
// a worker, which neither counts against the limit nor is closed to make room:
// when there is one already, which an earlier master has handed over with what
// it had read and not written, that one stays.
//
// Its end is made known to the worker by shutdown(2), for the keeper holds a
// duplicate, so that the next master has it even if this one dies. A
// connection that was ended is ended at once when it comes again.
func (s *Server) AddWorker(fd int, serial uint64) error {
	err := unix.SetNonblock(fd, true)
	if err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("cannot serve a worker's own connection: %w", err)
	}
	unix.CloseOnExec(fd)
	c, err := newConn(s, fd, workerPeer(serial)) // closes fd when it fails
	if err != nil {
		return fmt.Errorf("cannot serve a worker's own connection: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || serial == 0 || s.workers[serial] != nil {
		return c.file.Close()
	}
	s.conns[c], s.workers[serial] = struct{}{}, c
	if !s.suspended.Load() {
		c.start()
	}
	return nil
}

// EndWorker closes a worker's own connection, because the worker is gone;
// processes that it has left behind may hold the other end.
func (s *Server) EndWorker(serial uint64) {
	s.mu.Lock()
	c := s.workers[serial]
	s.mu.Unlock()
	if c != nil {
		c.kill()
	}
}

func workerPeer(serial uint64) Peer { return Peer{Worker: serial, UID: -1} }

// takePlace lets a worker's connection that was handed over take the place of
// the same one as the keeper has it, from which nothing was read. The caller
// holds s.mu.
func (s *Server) takePlace(c *conn) error {
	serial := c.peer.Worker
	if same := s.workers[serial]; same != nil {
		if !s.suspended.Load() {
			return errors.New("that worker's connection is served already")
		}
		s.forget(same)
		_ = same.file.Close()
	}
	s.workers[serial] = c
	return nil
}

func (s *Server) forgetWorker(c *conn) {
	if s.workers[c.peer.Worker] == c {
		delete(s.workers, c.peer.Worker)
	}
}

// full tells whether no more connections are to be served. The caller holds
// s.mu.
func (s *Server) full() bool { return len(s.conns)-len(s.workers) >= s.maxConns }

// shutdown tells the worker that its own connection has ended. The reader
// calls it, before it closes the file.
func (c *conn) shutdown() {
	if c.peer.Worker != 0 {
		_ = c.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
}
