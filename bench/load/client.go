// SPDX-License-Identifier: GPL-3.0-or-later

package load

import (
	"context"
	"net"
	"time"
)

// client sends one request after the other. Its result is its own until its
// loop has returned, so counting needs no lock.
type client struct {
	run    *run
	dialer net.Dialer
	conn   *conn // the kept connection; nil: none yet, or it was closed
	spare  answerReader
	sent   int64
	result Result

	interval time.Duration // between two requests; 0: no pace
	due      time.Time     // when the next is to be sent, with an interval
}

func newClient(r *run, i int) *client {
	// A dialer without keep-alive probes saves three system calls a connection.
	c := &client{run: r, dialer: net.Dialer{KeepAlive: -1}, result: newResult()}
	if r.opts.Rate > 0 {
		c.interval = time.Duration(float64(time.Second) * float64(r.opts.Conns) / r.opts.Rate)
		c.due = r.start.Add(c.interval * time.Duration(i) / time.Duration(r.opts.Conns))
	}
	return c
}

func (c *client) loop(ctx context.Context) {
	defer c.drop()
	for ctx.Err() == nil {
		begin, ok := c.wait(ctx)
		if !ok || !c.run.next() {
			return
		}
		c.one(begin)
	}
}

// wait waits until the next request is due and returns the moment from which
// its latency counts: when it was due if we are late, else now, so that the
// slack of our own timer is not the server's.
func (c *client) wait(ctx context.Context) (time.Time, bool) {
	now := time.Now()
	if c.interval == 0 {
		return now, true
	}
	due := c.due
	c.due = due.Add(c.interval)
	if !due.After(now) {
		return due, true
	}
	timer := time.NewTimer(due.Sub(now))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return now, false
	case <-timer.C:
		return time.Now(), true
	}
}

// one sends one request to its end and counts it.
func (c *client) one(begin time.Time) {
	fresh := c.isFresh()
	c.result.Requests++
	var fault *fault
	if fresh {
		c.result.New++
		fault = c.onFresh()
	} else {
		fault = c.onKept()
	}
	if fault == nil {
		c.result.Latency.Record(time.Since(begin))
		return
	}
	c.result.Lost++
	c.result.Kinds[fault.kind]++
	c.run.note(Loss{At: time.Since(c.run.start), Kind: fault.kind, New: fresh, Err: fault.err})
}

// isFresh spreads the requests on new connections evenly over all.
func (c *client) isFresh() bool {
	f := c.run.opts.NewFraction
	before := int64(float64(c.sent) * f)
	c.sent++
	return int64(float64(c.sent)*f) > before
}

func (c *client) onFresh() *fault {
	deadline := time.Now().Add(c.run.opts.Timeout)
	conn, fault := c.dial(deadline)
	if fault != nil {
		return fault
	}
	conn.in, c.spare = c.spare, conn.in // its buffer serves the next one too
	defer func() {
		c.spare, conn.in = conn.in, answerReader{}
		conn.close()
	}()
	_, fault = conn.do(c.run.fresh, deadline, c.run.opts.OnAnswer)
	return fault
}

// onKept uses the kept connection, and opens one when there is none. It holds
// the one excuse: see the package comment.
func (c *client) onKept() *fault {
	fault := c.tryKept()
	if fault == nil || !fault.excusable {
		return fault
	}
	c.result.Retried++
	return c.tryKept()
}

func (c *client) tryKept() *fault {
	deadline := time.Now().Add(c.run.opts.Timeout)
	if c.conn == nil {
		conn, fault := c.dial(deadline)
		if fault != nil {
			return fault
		}
		c.conn = conn
	}
	keep, fault := c.conn.do(c.run.kept, deadline, c.run.opts.OnAnswer)
	if fault != nil || !keep {
		c.drop()
	}
	return fault
}

func (c *client) dial(deadline time.Time) (*conn, *fault) {
	c.result.Dials++
	c.dialer.Deadline = deadline
	conn, fault := dial(&c.dialer, c.run.opts.Addr)
	if pause := c.run.opts.Hesitate; pause > 0 && fault == nil {
		<-time.After(pause)
	}
	return conn, fault
}

func (c *client) drop() {
	if c.conn != nil {
		c.conn.close()
		c.conn = nil
	}
}
