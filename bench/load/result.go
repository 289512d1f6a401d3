// SPDX-License-Identifier: GPL-3.0-or-later

package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind is how a request was lost.
type Kind string

// The kinds of loss.
const (
	Refused   Kind = "refused"   // nobody listens
	Reset     Kind = "reset"     // connection reset before the first byte of the answer
	Closed    Kind = "closed"    // connection closed before the first byte of the answer
	Truncated Kind = "truncated" // closed or reset in the midst of the answer
	Timeout   Kind = "timeout"   // no whole answer within Options.Timeout
	Status    Kind = "status"    // a whole answer, but not 200
	Malformed Kind = "malformed" // not HTTP/1.1
	Local     Kind = "local"     // this machine ran out of ports or descriptors; a loss all the same
	Other     Kind = "other"
)

// Loss describes one lost request.
type Loss struct {
	At   time.Duration // since the start of the run
	Kind Kind
	New  bool // it had a connection of its own
	Err  error
}

func (l Loss) String() string {
	conn := "kept"
	if l.New {
		conn = "new"
	}
	return fmt.Sprintf("%v: %s connection: %s: %v", l.At.Round(time.Millisecond), conn, l.Kind, l.Err)
}

// Result is what became of the requests of one [Run].
type Result struct {
	Requests int64          // all that were sent
	New      int64          // those of them with a connection of their own
	Lost     int64          // those without a whole 200 answer
	Retried  int64          // those sent twice, lost or not
	Dials    int64          // connections that were tried
	Kinds    map[Kind]int64 // how many were lost in each way
	Errors   []Loss         // the first ten that were lost
	Elapsed  time.Duration
	Latency  *Histogram // of the requests that were not lost, connect and second try included
}

func newResult() Result {
	return Result{Kinds: make(map[Kind]int64), Latency: new(Histogram)}
}

// add counts what one client saw. Elapsed and Errors are the run's own.
func (r *Result) add(c *Result) {
	if r.Latency == nil {
		r.Kinds, r.Latency = make(map[Kind]int64), new(Histogram)
	}
	r.Requests += c.Requests
	r.New += c.New
	r.Lost += c.Lost
	r.Retried += c.Retried
	r.Dials += c.Dials
	for k, n := range c.Kinds {
		r.Kinds[k] += n
	}
	r.Latency.Merge(c.Latency)
}

// PerSecond is how many requests a second there were, lost ones included.
func (r Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Requests) / r.Elapsed.Seconds()
}

// P50 is the median latency.
func (r Result) P50() time.Duration { return r.Latency.Quantile(0.5) }

// P99 is the latency that 99 of 100 requests did not exceed.
func (r Result) P99() time.Duration { return r.Latency.Quantile(0.99) }

// Max is the longest latency.
func (r Result) Max() time.Duration { return r.Latency.Max() }

// String is one line for people, and one more for each loss in Errors.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests (%d on new connections), %d lost, %d retried, %.0f/s, p50 %v, p99 %v, max %v",
		r.Requests, r.New, r.Lost, r.Retried, r.PerSecond(),
		r.P50().Round(time.Microsecond), r.P99().Round(time.Microsecond), r.Max().Round(time.Microsecond))
	for _, k := range slices.Sorted(maps.Keys(r.Kinds)) {
		fmt.Fprintf(&b, ", %s %d", k, r.Kinds[k])
	}
	for _, l := range r.Errors {
		fmt.Fprintf(&b, "\n  %v", l)
	}
	return b.String()
}
