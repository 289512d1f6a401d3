// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/wire"
)

// conn is one connection. Its reader goroutine (serve) is the only one that
// closes the file; all others mark it as closed and wake the reader.
type conn struct {
	srv    *Server
	fd     int // valid under mu while not closed, and under srv.mu while in srv.conns
	file   *os.File
	raw    syscall.RawConn
	peer   Peer          // Group unset
	active atomic.Uint64 // when it last did something, by srv.activity

	in      lines              // the reader's
	again   []againCall        // the reader's: to be handed over before anything is read
	tryRead func(uintptr) bool // readOnce, bound once

	mu        sync.Mutex
	wake      sync.Cond // the reader waits here while paused
	read      uint64    // bytes read, and 1 for the end
	handled   uint64    // of these, whose requests were taken
	eof       bool      // the peer sends no more
	ended     bool      // no further request is taken; closes when all are answered
	closed    bool
	deaf      bool    // the peer doesn't read any more
	paused    bool    // the reader waits for output to drain, or for answers
	handing   bool    // a call waits for the loop to take it
	underWay  int     // unanswered calls, one being handed over included
	callBytes int     // their lines' lengths
	taken     []*Call // the unanswered ones
	owed      int     // of again, not being handed over
	lost      bool    // in srv.lost
	out       []byte
	writing   bool // drain runs; so long as out isn't empty
}

func newConn(s *Server, fd int, peer Peer) (*conn, error) {
	f := os.NewFile(uintptr(fd), "control connection")
	raw, err := f.SyscallConn()
	if err == nil {
		err = f.SetDeadline(noDeadline) // fails when the runtime can't poll it
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	c := &conn{srv: s, fd: fd, file: f, raw: raw, peer: peer}
	c.wake.L = &c.mu
	c.tryRead = c.readOnce
	c.touch()
	return c, nil
}

func (c *conn) touch() { c.active.Store(c.srv.activity.Add(1)) }

// serve reads until the end, waits for the answers, and closes. When the
// server is suspended it returns early, and goes on when called again.
func (c *conn) serve() {
	for c.takeAgain() && c.takeLines() && c.fill() {
	}
	if c.suspended() {
		return
	}
	if line := c.in.last(); line != nil && c.sawEnd() && !c.take(line, nil) && c.suspended() {
		return
	}
	c.in.drop()
	c.endInput()
	// Answers close it; here only a peer that hangs up is noticed.
	_ = c.raw.Read(func(fd uintptr) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.closed || hungUp(int(fd))
	})
	if c.suspended() {
		return
	}
	c.kill()
	c.srv.mu.Lock()
	c.srv.forget(c)
	c.srv.mu.Unlock()
	c.shutdown()
	_ = c.file.Close()
	c.srv.freed()
}

// takeLines handles all whole lines that were read; false when the server is
// suspended meanwhile.
func (c *conn) takeLines() bool {
	for {
		line, err := c.in.next()
		if err == errNoLine {
			break
		}
		if c.take(line, err) {
			continue
		}
		if c.suspended() {
			c.in.back(err)
			return false
		}
		break
	}
	c.caughtUp()
	return true
}

// fill waits for bytes; false when no more are wanted or come.
func (c *conn) fill() bool {
	if c.raw.Read(c.tryRead) != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.eof && !c.ended && !c.closed
}

// readOnce reads what is there; false asks to be called again when there is
// something. Reading and counting are one step under mu, for Arrived.
func (c *conn) readOnce(fd uintptr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.closed || c.eof {
		return true
	}
	n, err := ignoringEINTR(func() (int, error) { return unix.Read(int(fd), c.in.room()) })
	switch {
	case n > 0:
		c.read += uint64(n)
		c.in.added(n)
	case errors.Is(err, unix.EAGAIN):
		c.in.rest()
		return false
	default: // the end, or ECONNRESET, after which nothing comes either
		c.read++
		c.eof = true
	}
	return true
}

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (c *conn) sawEnd() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.eof
}

// take handles one line; false when no further one is wanted.
func (c *conn) take(line []byte, err error) bool {
	if err == nil && len(line) == 0 {
		return true
	}
	if !c.waitTurn() {
		return false
	}
	c.touch()
	if err != nil {
		c.refuse(&Call{Dialect: dialectOf(line)}, wire.Errorf(wire.BadRequest, "cannot read request: longer than %d bytes", wire.MaxLine))
		return true
	}
	call, werr := c.parse(line)
	if werr != nil {
		c.refuse(call, werr)
		return true
	}
	call.Peer = c.peer.current()
	return c.deliver(call)
}

// parse makes a call of a line. Beside an error it is good enough to be told.
func (c *conn) parse(line []byte) (*Call, *wire.Error) {
	dialect := dialectOf(line)
	req, err := dialect.parse(line)
	call := &Call{Request: req, Dialect: dialect, Peer: c.peer, conn: c, line: bytes.Clone(line), size: len(line)}
	if err != nil {
		return call, asWireError(err)
	}
	return call, nil
}

// refuse answers a line that never becomes a call.
func (c *conn) refuse(call *Call, err *wire.Error) {
	line := call.Dialect.failure(call.ID, err, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send(line)
}

// deliver hands a call to the loop and waits until it is taken.
func (c *conn) deliver(call *Call) bool {
	c.mu.Lock()
	c.handing = true
	if call.again {
		c.owed--
	}
	c.underWay++
	c.callBytes += call.size
	c.taken = append(c.taken, call) // now, because it may be ended as soon as it is taken
	c.mu.Unlock()
	taken := false
	select {
	case c.srv.calls <- call:
		taken = true
	case <-c.srv.quiet:
	case <-c.srv.done:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handing = false
	if !taken {
		c.underWay--
		c.callBytes -= call.size
		c.untake(call)
		if call.again {
			c.owed++
		}
	}
	return taken
}

// blocked tells whether the client must first read or be answered; under mu.
func (c *conn) blocked() bool {
	return len(c.out) > pauseOutput || c.underWay >= maxUnderWay || c.callBytes > wire.MaxLine
}

// waitTurn waits while blocked; false when no further request is wanted.
func (c *conn) waitTurn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.blocked() && !c.ended && !c.closed && !c.srv.suspended.Load() {
		if c.paused {
			c.wake.Wait()
			continue
		}
		c.paused = true
		c.mu.Unlock()
		c.srv.settleNow(c, uncounted)
		c.srv.freed()
		c.mu.Lock()
	}
	c.paused = false
	return !c.ended && !c.closed && !c.srv.suspended.Load()
}

// unblock wakes the reader if it may go on; under mu.
func (c *conn) unblock() {
	if c.paused && !c.blocked() {
		c.wake.Broadcast()
	}
}

// caughtUp notes that all whole lines of what was read are taken.
func (c *conn) caughtUp() {
	c.mu.Lock()
	c.handled = c.read
	handled := c.handled
	c.mu.Unlock()
	c.srv.settleNow(c, handled)
	c.srv.freed()
}

// endInput takes no further requests and closes once nothing is owed.
func (c *conn) endInput() {
	c.mu.Lock()
	c.ended = true
	c.handled = c.read
	c.closeIfOver()
	c.mu.Unlock()
	c.srv.settleNow(c, uncounted)
	c.srv.freed()
}

// finishOutput ends input and every call, so that c closes when its output is
// read.
func (c *conn) finishOutput() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.underWay = 0
	c.wake.Broadcast()
	c.closeIfOver()
}

// closeIfOver closes a connection that has nothing to say any more; under mu.
func (c *conn) closeIfOver() {
	if c.ended && c.underWay <= 0 && c.owed == 0 && len(c.out) == 0 {
		c.close()
	}
}

func (c *conn) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close()
}

// close ends all that happens on c; the reader does the rest. Under mu.
func (c *conn) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.out = nil
	c.wake.Broadcast()
	_ = c.file.SetDeadline(aLongTimeAgo)
}

// use tells what eviction has to know.
type use int

const (
	useIdle   use = iota // nothing under way
	useUnsent            // no request under way, but answers that the peer doesn't read
	useMoving            // will be one of the others without the loop answering anything
	useStuck             // the loop took a request and hasn't answered it yet
)

func (c *conn) use() use {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.underWay
	if c.handing {
		taken--
	}
	switch {
	case c.closed:
		return useMoving
	case taken > 0 && c.paused && hungUp(c.fd):
		return useUnsent // its reader doesn't get to see the end
	case taken > 0:
		return useStuck
	case len(c.out) > 0 && !c.handing && c.owed == 0:
		return useUnsent
	case c.handing || c.owed > 0 || c.read != c.handled:
		return useMoving
	}
	return useIdle
}

// hasUnread tells whether bytes wait in the kernel. The caller holds srv.mu.
func (c *conn) hasUnread() bool { return unread(c.fd) > 0 }
