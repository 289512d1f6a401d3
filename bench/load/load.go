// SPDX-License-Identifier: GPL-3.0-or-later

// Package load sends HTTP/1.1 requests and counts, without mercy, those that
// were lost.
//
// [Run] starts a number of clients (client.go). Each sends one request at a
// time, on its kept connection or on a new one, until the total is reached or
// the context ends. A client speaks raw TCP (conn.go) and reads the answer
// with a parser of its own (answer.go), so that one core is enough for tens of
// thousands of requests a second. Latencies go to a histogram of fixed size
// (histogram.go), and [Result] (result.go) holds all that was seen.
//
// # What is lost
//
// Lost is every request without a whole 200 answer: refused, reset, closed,
// cut off in the middle, timed out, malformed, or with another status. There is
// one excuse, and the client uses it only once a request: when a kept
// connection (one that has carried a whole answer before) is closed before the
// first byte of the next answer, the request is sent again on a new
// connection, as RFC 9112 section 9.3.1 lets every client do. Such a request
// counts as retried, and as lost when the second try fails in any way. A
// request that was the first on its connection is never sent twice, and a
// timeout is never an excuse.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultTimeout is how long a request may take when [Options] do not say.
const DefaultTimeout = 10 * time.Second

// maxErrors is how many losses a Result describes one by one.
const maxErrors = 10

// Options say what to send. Only Addr is needed.
type Options struct {
	Addr  string // host:port of the server
	Path  string // what to GET; "/" when empty
	Conns int    // clients that send at the same time; 1 when zero

	// NewFraction is the part of all requests, from 0 to 1, that open a
	// connection of their own, ask for it to be closed, and close it. The
	// others use the client's kept connection. Every client spreads its new
	// ones evenly.
	NewFraction float64

	// Total is how many requests to send; 0: go on until the context ends.
	Total int64

	// Rate is how many requests to send a second, all clients together; 0: as
	// fast as the answers come. With a rate, a request that could not be sent
	// in time, as the one before it was still unanswered, has the wait counted
	// in its latency, so that a stalled server is not flattered.
	Rate float64

	// Hesitate is how long clients wait between a new connection and the first
	// request on it, as a client far away does, or one that connects ahead. A
	// server has accepted the connection meanwhile, and may close it unread.
	Hesitate time.Duration

	// Timeout is how long a request may take from the start of its connect (or
	// write) to the last byte of its answer, its second try apart;
	// DefaultTimeout when zero.
	Timeout time.Duration

	// OnAnswer, when not nil, sees the body of each whole 200 answer. The bytes
	// are valid during the call only. Clients call it concurrently.
	OnAnswer func(body []byte)
}

// Run sends requests as opts say and returns what became of them. When ctx
// ends no further request is begun and those under way are finished. The error
// tells of impossible options only: a server that is not there is a Result
// full of losses.
func Run(ctx context.Context, opts Options) (Result, error) {
	if err := opts.complete(); err != nil {
		return Result{}, err
	}
	r := &run{opts: opts, start: time.Now(), kept: request(opts, false), fresh: request(opts, true)}
	clients := make([]*client, opts.Conns)
	var wg sync.WaitGroup
	for i := range clients {
		clients[i] = newClient(r, i)
		wg.Go(func() { clients[i].loop(ctx) })
	}
	wg.Wait()
	result := Result{Elapsed: time.Since(r.start), Errors: r.errors}
	for _, c := range clients {
		result.add(&c.result)
	}
	return result, nil
}

// run is what the clients of one Run share.
type run struct {
	opts        Options
	start       time.Time
	kept, fresh []byte // the request as sent on either kind of connection
	tickets     atomic.Int64

	mu     sync.Mutex
	errors []Loss
}

// next takes a ticket for one more request, or says that all are taken.
func (r *run) next() bool {
	return r.opts.Total == 0 || r.tickets.Add(1) <= r.opts.Total
}

func (r *run) note(l Loss) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errors) < maxErrors {
		r.errors = append(r.errors, l)
	}
}

func (o *Options) complete() error {
	if _, _, err := net.SplitHostPort(o.Addr); err != nil && !isUnix(o.Addr) {
		return fmt.Errorf("cannot send load to %q: %w; want host:port, as in 127.0.0.1:8080, or the path of a UNIX socket", o.Addr, err)
	}
	if o.Path == "" {
		o.Path = "/"
	}
	if !strings.HasPrefix(o.Path, "/") || strings.ContainsAny(o.Path, " \r\n\t") {
		return fmt.Errorf("cannot ask for path %q: want one that begins with / and has no blanks", o.Path)
	}
	if o.Conns == 0 {
		o.Conns = 1
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	switch {
	case o.Conns < 0 || o.Total < 0 || o.Rate < 0 || o.Timeout < 0 || o.Hesitate < 0:
		return errors.New("cannot send load: Conns, Total, Rate, Timeout and Hesitate must not be negative")
	case !(o.NewFraction >= 0 && o.NewFraction <= 1):
		return fmt.Errorf("cannot send load: NewFraction is %v; want 0 (all on kept connections) to 1 (none)", o.NewFraction)
	}
	return nil
}

func request(o Options, fresh bool) []byte {
	connection := ""
	if fresh {
		connection = "Connection: close\r\n"
	}
	host := o.Addr
	if isUnix(host) {
		host = "localhost"
	}
	return []byte("GET " + o.Path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: einhyrningsins-load\r\n" + connection + "\r\n")
}
