// SPDX-License-Identifier: GPL-3.0-or-later

package notify

import (
	"bytes"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a worker is heard at most, and how often it is told that others speak in
// its place.
const (
	maxBatch   = 256 // datagrams, before what they say is delivered
	burst      = 50  // deliveries at once
	perSecond  = 100 // deliveries in the long run
	tellEvery  = time.Minute
	pipeBuffer = 512
)

// datagram is one message, and its sender as the kernel tells it.
type datagram struct {
	Message
	pid, uid int // 0, -1: the kernel doesn't say
	fds      []int
	tooLong  bool
}

type buffer struct{ data, oob []byte }

// buffers are shared: a reader needs one only while it receives.
var buffers = sync.Pool{New: func() any {
	return &buffer{make([]byte, maxDatagram), make([]byte, oobSize)}
}}

// reader reads one worker's descriptor.
type reader struct {
	set    *Set
	serial uint64
	pid    int
	pipe   bool   // it is one: a newline is all there is to say
	path   string // of the socket; "": it has none
	file   *os.File
	raw    syscall.RawConn
	fd     int

	busy  atomic.Bool // bytes may have left the kernel that the master has not seen
	ended atomic.Bool // nothing comes any more, but maybe what was read
	stop  chan struct{}
	done  chan struct{}

	// What follows belongs to the goroutine, or to who has waited for its end.
	left    Event // read, and not delivered
	budget  float64
	since   time.Time // when budget was right
	refused Refused   // not told yet
	toldAt  time.Time
}

func (r *reader) start() {
	r.stop, r.done = make(chan struct{}), make(chan struct{})
	_ = r.file.SetReadDeadline(time.Time{})
	go r.run(r.stop, r.done)
}

// end makes the goroutine end, soon. It may have ended by itself.
func (r *reader) end() {
	select {
	case <-r.stop:
		return // it was told already
	default:
		close(r.stop)
	}
	_ = r.file.SetReadDeadline(time.Unix(1, 0))
}

func (r *reader) run(stop <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	defer r.park()
	e := &r.left
	for {
		err := r.fill(e, stop)
		if err == io.EOF {
			e.Ended = true
			r.ended.Store(true)
		}
		if !e.empty() && !r.deliver(e, stop) {
			return
		}
		if err != nil {
			return
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// fill reads what there is, or waits for something. It ends early for who waits
// to hear that all was dealt with.
func (r *reader) fill(e *Event, stop <-chan struct{}) error {
	if !e.empty() {
		return nil // left over
	}
	e.Serial = r.serial
	for n := range maxBatch {
		d, err := r.receive(n == 0)
		if isAgain(err) {
			return nil
		}
		if err != nil {
			return err
		}
		r.take(e, d, stop)
		if e.barrier {
			return nil
		}
	}
	if e.empty() {
		r.pace(stop) // others send here, and much
	}
	return nil
}

// rest reads what there is still, when the goroutine has ended: so much at most,
// for others may be left that speak on.
func (r *reader) rest() (last []Event) {
	_ = r.raw.Control(func(fd uintptr) {
		for range maxBatch {
			d, err := r.read(int(fd))
			if err != nil {
				return
			}
			if r.left.barrier { // each has a descriptor of its own
				last, r.left = append(last, r.left), Event{}
			}
			r.left.Serial = r.serial
			r.take(&r.left, d, noWait)
		}
	})
	if !r.left.empty() {
		last, r.left = append(last, r.left), Event{}
	}
	return last
}

// noWait is for who has no time to wait until descriptors are closed.
var noWait = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// take adds a datagram to the event, if it counts.
func (r *reader) take(e *Event, d datagram, stop <-chan struct{}) {
	accepted := r.pipe || r.accepts(d)
	if d.tooLong || !accepted {
		if r.refused.Count++; r.refused.Count == 1 && !accepted {
			r.refused.PID, r.refused.UID = d.pid, d.uid
		}
		if now := time.Now(); now.Sub(r.toldAt) > tellEvery {
			e.Refused, r.refused, r.toldAt = r.refused, Refused{}, now
		}
		d.Message = Message{}
	}
	if d.barrier && len(d.fds) == 1 {
		e.fds, d.fds = d.fds, nil
	} else {
		d.barrier = false
	}
	e.add(d.Message)
	r.discard(d.fds, stop)
}

// discard closes descriptors that a worker has sent. That may take as long as
// whoever is behind them likes, so at most one does so for each worker.
func (r *reader) discard(fds []int, stop <-chan struct{}) {
	if len(fds) == 0 {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		closeFDs(fds)
	}()
	select {
	case <-closed:
	case <-stop:
	}
}

// deliver hands the event over, and waits for the release of a barrier.
func (r *reader) deliver(e *Event, stop <-chan struct{}) bool {
	if !r.pace(stop) {
		return false
	}
	out := *e
	if len(out.fds) > 0 {
		out.released = make(chan struct{})
	}
	select {
	case r.set.events <- out:
	case <-stop:
		return false
	}
	*e = Event{}
	if out.released != nil {
		select {
		case <-out.released:
		case <-stop:
		}
		r.discard(out.fds, stop)
	}
	return true
}

// pace waits while there was more than a worker is heard.
func (r *reader) pace(stop <-chan struct{}) bool {
	now := time.Now()
	r.budget = min(r.budget+now.Sub(r.since).Seconds()*perSecond, burst)
	r.since = now
	if r.budget--; r.budget >= 0 {
		return true
	}
	timer := time.NewTimer(time.Duration(-r.budget * float64(time.Second) / perSecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	}
}

// receive reads a datagram, or from a pipe. Unless it may wait, it returns
// EAGAIN when there is nothing.
func (r *reader) receive(wait bool) (d datagram, err error) {
	var rerr error
	err = r.raw.Read(func(fd uintptr) bool {
		r.busy.Store(true)
		d, rerr = r.read(int(fd))
		if !isAgain(rerr) || !wait {
			return true
		}
		r.park()
		return false
	})
	if err == nil {
		err = rerr
	}
	return d, err
}

// read reads a datagram, or from a pipe; EAGAIN: there is nothing.
func (r *reader) read(fd int) (d datagram, err error) {
	for {
		if r.pipe {
			d, err = r.newline(fd)
		} else {
			d, err = r.datagram(fd)
		}
		if err != syscall.EINTR {
			return d, err
		}
	}
}

// newline reads a pipe. What comes before a newline means nothing, and nothing
// comes after it, s6-notifywhenup(8). An end without one only says that no ACK
// will come this way.
func (r *reader) newline(fd int) (d datagram, err error) {
	if r.ended.Load() {
		return d, io.EOF
	}
	var b [pipeBuffer]byte
	n, err := unix.Read(fd, b[:])
	switch {
	case err != nil:
		return d, err
	case n <= 0:
		return d, io.EOF
	}
	if d.Ready = bytes.IndexByte(b[:n], '\n') >= 0; d.Ready {
		r.ended.Store(true)
	}
	return d, nil
}

// park says that all that had arrived was seen.
func (r *reader) park() {
	r.busy.Store(false)
	select {
	case r.set.parked <- struct{}{}:
	default:
	}
}
