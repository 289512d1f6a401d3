// SPDX-License-Identifier: GPL-3.0-or-later

// Package notify is about what workers say of themselves over a descriptor of
// their own: in datagrams to a NOTIFY_SOCKET, sd_notify(3), or with a newline on
// a pipe, as s6 has it.
//
// The keeper makes both ends (make.go, socket_linux.go) and reads nothing. The
// master reads: set.go has all workers' descriptors, reader.go the goroutine that
// each of them has, message.go turns bytes into a Message, and sender_linux.go
// tells who has spoken. What follows from it is decided elsewhere.
//
// A worker can say whatever it likes as often as it likes. What it says between
// two looks of the master is one Event, and a worker that never stops talking is
// heard a limited number of times a second.
package notify

import "time"

// Message is what a worker has said. Of what was said twice the later counts.
type Message struct {
	Ready    bool           // READY=1, or a newline
	Stopping bool           // STOPPING=1
	Alive    bool           // WATCHDOG=1
	Faulty   bool           // WATCHDOG=trigger
	Status   *string        // STATUS=, with control characters escaped
	Watchdog *time.Duration // WATCHDOG_USEC=; 0: it does not want to be watched
	Extend   time.Duration  // EXTEND_TIMEOUT_USEC=
	Others   []string       // names of what was said and means nothing here
	barrier  bool           // BARRIER=1
}

// Event is a message and its sender.
type Event struct {
	Serial uint64 // of the worker whose descriptor it came by
	Message
	Ended   bool    // nothing more comes by it
	Refused Refused // what others have sent there; none: it is zero

	fds      []int // of a barrier
	released chan struct{}
}

// Refused are datagrams that count for nothing: their sender does not belong to
// the worker, or they are too long.
type Refused struct {
	Count    int
	PID, UID int // of the first sender; PID 0: it was too long, and the worker's
}

// Release tells the worker, if it waits for it, that all it has said so far was
// dealt with. It must be called once for each event.
func (e Event) Release() {
	switch {
	case e.released != nil:
		close(e.released)
	case len(e.fds) > 0:
		go closeFDs(e.fds)
	}
}

func (e *Event) empty() bool {
	m := &e.Message
	return !m.Ready && !m.Stopping && !m.Alive && !m.Faulty && m.Status == nil && m.Watchdog == nil &&
		m.Extend == 0 && len(m.Others) == 0 && !m.barrier && !e.Ended && e.Refused.Count == 0
}

// add takes in what was said later.
func (m *Message) add(o Message) {
	m.Ready = m.Ready || o.Ready
	m.Stopping = m.Stopping || o.Stopping
	m.Alive = m.Alive || o.Alive
	m.Faulty = m.Faulty || o.Faulty
	m.barrier = m.barrier || o.barrier
	m.Extend = max(m.Extend, o.Extend)
	if o.Status != nil {
		m.Status = o.Status
	}
	if o.Watchdog != nil {
		m.Watchdog = o.Watchdog
	}
	if len(m.Others) == 0 {
		m.Others = o.Others
	}
}
