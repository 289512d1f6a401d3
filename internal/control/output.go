// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

var noDeadline time.Time

// send writes a line, or queues what the socket doesn't take. Under mu.
func (c *conn) send(line []byte) {
	if c.closed || c.deaf {
		return
	}
	suspended := c.srv.suspended.Load()
	if len(c.out) == 0 && !c.writing && !suspended {
		n, err := ignoringEINTR(func() (int, error) { return unix.Write(c.fd, line) })
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			c.stopOutput()
			return
		}
		line = line[max(n, 0):]
	}
	if len(line) == 0 {
		return
	}
	c.out = append(c.out, line...)
	if !suspended {
		c.startDrain()
	}
}

// startDrain writes what is queued, unless that is being done. Under mu.
func (c *conn) startDrain() {
	if len(c.out) > 0 && !c.writing {
		c.writing = true
		c.srv.wg.Go(c.drain)
	}
}

// stopOutput gives up on a peer that doesn't read any more. What it sent before
// is still taken: an ACK counts even when its sender is gone. Under mu.
func (c *conn) stopOutput() {
	c.deaf = true
	c.out = nil
	c.unblock()
	c.closeIfOver()
}

// drain writes the queue and ends, or ends early when the server is suspended. A peer that doesn't take a chunk within the
// time limit loses its connection.
func (c *conn) drain() {
	for {
		chunk := c.chunk()
		if chunk == nil {
			c.srv.freed()
			return
		}
		n, err := c.writeAll(chunk)
		c.mu.Lock()
		switch {
		case c.closed:
		case err == nil, c.srv.suspended.Load() && errors.Is(err, os.ErrDeadlineExceeded):
			c.out = c.out[n:]
			c.unblock()
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
			c.stopOutput()
		default:
			c.close()
		}
		c.mu.Unlock()
	}
}

// chunk returns what to write next and sets the time limit for it; nil when
// there is nothing.
func (c *conn) chunk() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 || c.closed {
		c.out = nil
		c.writing = false
		c.closeIfOver()
		return nil
	}
	if c.srv.suspended.Load() {
		c.writing = false
		return nil
	}
	// Under mu, so that it can't undo the deadline that close sets.
	_ = c.file.SetWriteDeadline(time.Now().Add(c.srv.writeTimeout))
	return c.out[:min(len(c.out), maxChunk)]
}

func (c *conn) writeAll(b []byte) (int, error) {
	done := 0
	var werr error
	err := c.raw.Write(func(fd uintptr) bool {
		for done < len(b) {
			n, err := ignoringEINTR(func() (int, error) { return unix.Write(int(fd), b[done:]) })
			if errors.Is(err, unix.EAGAIN) {
				return false
			}
			if err != nil {
				werr = err
				return true
			}
			done += n
		}
		return true
	})
	if err == nil {
		err = werr
	}
	return done, err
}
