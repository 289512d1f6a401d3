// SPDX-License-Identifier: MIT

package worker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// drain knows every connection of one server, and brings them to their end
// when it is run.
//
// It sees them through the server's own hooks, not by wrapping the listener or
// the connections: handlers and hooks that look for a *net.TCPConn still find
// one, and sendfile(2) still works. Neither SetKeepAlivesEnabled(false) nor
// Shutdown may be called while an HTTP/1 connection is left, as both close
// connections whose next request may be on its way.
type drain struct {
	srv     *http.Server
	opts    options
	handler http.Handler
	closing atomic.Bool // the drain has begun: answers say "Connection: close"

	mu      sync.Mutex
	conns   map[net.Conn]*tracked
	http1   int           // how many of conns are not known to be HTTP/2
	last    chan struct{} // has a token when the drain has begun and http1 is 0
	hurried time.Time     // when TERM or INT came; zero: not yet
}

// tracked is what the drain knows of one connection.
type tracked struct {
	state http.ConnState
	since time.Time   // when it came into its state; counts from the drain's begin
	used  atomic.Bool // a request of it reached the handler
	http2 bool
	cut   bool // reading from it was stopped, as its wait was over
}

type trackedKey struct{}

// longAgo is a deadline that stops reading at once.
var longAgo = time.Unix(1, 0)

// newDrain puts the drain between srv and the hooks that its owner has set.
func newDrain(srv *http.Server, o options) *drain {
	d := &drain{srv: srv, opts: o, handler: srv.Handler, conns: make(map[net.Conn]*tracked), last: make(chan struct{}, 1)}
	if d.handler == nil {
		d.handler = http.DefaultServeMux
	}
	srv.Handler = http.HandlerFunc(d.serveHTTP)
	connContext, connState := srv.ConnContext, srv.ConnState
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		if connContext != nil {
			if ctx = connContext(ctx, nc); ctx == nil {
				return nil // net/http says what is wrong with that
			}
		}
		return context.WithValue(ctx, trackedKey{}, d.add(nc))
	}
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		d.change(nc, state)
		if connState != nil {
			connState(nc, state)
		}
	}
	return d
}

func (d *drain) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if t, ok := r.Context().Value(trackedKey{}).(*tracked); ok {
		t.used.Store(true)
	}
	// An answer that changes the protocol has a Connection header of its own
	// (RFC 9110 section 7.8). On HTTP/2 net/http turns ours into GOAWAY.
	if d.closing.Load() && r.Header.Get("Upgrade") == "" {
		w.Header().Set("Connection", "close")
	}
	d.handler.ServeHTTP(w, r)
}

func (d *drain) add(nc net.Conn) *tracked {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := &tracked{state: http.StateNew, since: time.Now()}
	d.conns[nc] = t
	d.http1++
	return t
}

// change follows the state of a connection. net/http calls it from the
// connection's own goroutine, for StateActive after a request's header was
// read and before its handler runs.
func (d *drain) change(nc net.Conn, state http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.conns[nc]
	if t == nil {
		return
	}
	t.state = state
	if d.closing.Load() {
		t.since = time.Now()
	}
	switch state {
	case http.StateActive, http.StateIdle:
		if !t.http2 && d.isHTTP2(nc, t) {
			t.http2 = true
			d.leave()
		}
		if t.cut {
			// The request had come before its connection was cut.
			t.cut = false
			nc.SetReadDeadline(d.readDeadline())
		}
	case http.StateHijacked, http.StateClosed:
		delete(d.conns, nc)
		if !t.http2 {
			d.leave()
		}
	}
}

// isHTTP2 tells whether a connection that became active or idle speaks HTTP/2.
// Without TLS only HTTP/2 is idle before its first request.
func (d *drain) isHTTP2(nc net.Conn, t *tracked) bool {
	if tc, ok := nc.(*tls.Conn); ok {
		return tc.ConnectionState().NegotiatedProtocol == "h2"
	}
	return t.state == http.StateIdle && !t.used.Load() && d.srv.Protocols != nil && d.srv.Protocols.UnencryptedHTTP2()
}

// readDeadline is the one that net/http has set for the request just read.
func (d *drain) readDeadline() time.Time {
	if d.srv.ReadTimeout <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d.srv.ReadTimeout)
}

// leave counts one HTTP/1 connection less.
func (d *drain) leave() {
	d.http1--
	d.tellIfLast()
}

func (d *drain) tellIfLast() {
	if d.http1 == 0 && d.closing.Load() {
		select {
		case d.last <- struct{}{}:
		default:
		}
	}
}

// hear heeds a signal: all but the graceful one mean hurry.
func (d *drain) hear(s os.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s != d.opts.graceful && d.hurried.IsZero() {
		d.hurried = time.Now()
	}
}

// run drains. The server accepts no more when it is called.
func (d *drain) run(signals <-chan os.Signal) error {
	ctx := context.Background()
	if d.opts.drainTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.opts.drainTimeout)
		defer cancel()
	}
	d.begin()
	sweep := time.NewTicker(d.sweepInterval())
	defer sweep.Stop()
	for done := false; !done; {
		select {
		case <-d.last:
			done = true
		case s := <-signals:
			d.hear(s)
		case now := <-sweep.C:
			d.sweep(now)
		case <-ctx.Done():
			return d.giveUp()
		}
	}
	// No HTTP/1 connection is left that Shutdown could close at the wrong
	// moment. HTTP/2 connections get their GOAWAY from it.
	if err := d.srv.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		return d.giveUp()
	} else if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("cannot drain: %w", err)
	}
	return nil
}

func (d *drain) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closing.Store(true)
	now := time.Now()
	for _, t := range d.conns {
		t.since = now
	}
	d.tellIfLast()
}

func (d *drain) giveUp() error {
	d.mu.Lock()
	n := len(d.conns)
	d.mu.Unlock()
	d.srv.Close()
	return fmt.Errorf("cannot drain within %v, %d connections left: %w", d.opts.drainTimeout, n, ErrDrainTimeout)
}

// sweepInterval is how often to look for connections whose wait is over.
func (d *drain) sweepInterval() time.Duration {
	return min(max(min(d.opts.idleWait, d.opts.unusedWait)/20, 5*time.Millisecond), 100*time.Millisecond)
}

// sweep cuts the connections whose wait is over: reading from them fails from
// now on, so that their own goroutines close them. Unlike Close, this does
// nothing to a request that was read meanwhile; see change.
func (d *drain) sweep(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for nc, t := range d.conns {
		wait := d.opts.unusedWait
		switch {
		case t.http2, t.state == http.StateActive:
			continue
		case t.state == http.StateIdle:
			wait = d.opts.idleWait
		}
		due := t.since.Add(wait)
		if !d.hurried.IsZero() {
			due = earlier(due, later(t.since, d.hurried).Add(hurriedWait))
		}
		if now.Before(due) || hasInput(nc) {
			continue
		}
		t.cut = true
		nc.SetReadDeadline(longAgo)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// hasInput tells whether bytes have arrived that nobody has read yet: a request
// whose connection must not be cut.
func hasInput(nc net.Conn) bool {
	if tc, ok := nc.(*tls.Conn); ok {
		nc = tc.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	waiting := false
	raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		waiting = err == nil && n > 0
	})
	return waiting
}
