// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"slices"
	"time"
)

// What a worker says of itself, sd_notify(3). That it is ready is Acked.

// Leaving says that a worker is about to end by itself. Nobody has to ask it.
type Leaving struct{ Serial uint64 }

// Alive is a sign of life.
type Alive struct{ Serial uint64 }

// Faulty says that a worker asks to be replaced, and How, for people. One that is
// Blameless is asked to end gracefully once its successor is ready.
type Faulty struct {
	Serial    uint64
	How       string
	Blameless bool
}

// Watched changes how long a worker may be silent; 0 is for ever.
type Watched struct {
	Serial   uint64
	Interval time.Duration
}

// Extended says that a worker needs this much more time from now on for what it
// is about: to start, to drain, or to stop.
type Extended struct {
	Serial uint64
	By     time.Duration
}

// Said is what a worker says of itself for people.
type Said struct {
	Serial uint64
	Text   string
}

const (
	leastWatch   = 100 * time.Millisecond // an interval below this is taken for this
	unwatched    = -1                     // as Worker.Watchdog
	longestSleep = time.Second            // a tick that comes later than this was no worker's fault
	longestWake  = time.Second            // how long a worker may take to speak once it runs again
)

func (e Leaving) apply(p *Pool) {
	w := p.workers[e.Serial]
	if w == nil || w.PID == 0 || !w.serving() {
		return
	}
	switch {
	case w.overdue(), w.silent(): // its place was given to another one
	case w.isReady() && p.now-w.ReadyAt >= p.set.trial(), w.Phase == Starting && w.Uncertain:
		p.vacate(w, p.now, false)
	case w.isReady():
		p.failed(w, p.now, "said that it ends right after it was ready")
	default:
		p.failed(w, p.now, "said that it ends before it was ready")
	}
	p.change(w, func() {
		w.Phase, w.SignalAt, w.ExtendedUntil, w.Leaving = Draining, p.now, 0, true
	})
	p.noteOf(NoteLeaving, w)
	p.boundLeaving()
}

// boundLeaving ends the oldest of those that said that they end and do not, when
// they are more than are wanted: each was given a successor at once, and without
// a drain timeout there would be no end of processes.
func (p *Pool) boundLeaving() {
	var oldest *Worker
	count := 0
	for _, w := range p.order {
		if w.Leaving && w.Phase == Draining {
			if count++; oldest == nil {
				oldest = w
			}
		}
	}
	if count > max(p.st.Number, 1) {
		p.advance(oldest, Stopping)
	}
}

// Alive saves nothing: a later master gives every worker its full time anew.
func (e Alive) apply(p *Pool) {
	if w := p.workers[e.Serial]; w != nil {
		p.heard(w)
	}
}

func (e Faulty) apply(p *Pool) {
	w := p.workers[e.Serial]
	switch {
	case w == nil || w.PID == 0 || !w.serving() || w.overdue() || w.silent():
	case w.Phase == Ready:
		w.Blameless = e.Blameless
		p.fault(w, e.How)
	case w.Uncertain:
		p.change(w, func() { w.OverdueAt = p.now }) // it may be serving
		p.noteOf(NoteOverdue, w)
	default:
		p.failed(w, p.now, e.How)
		p.advance(w, Stopping)
	}
}

func (e Watched) apply(p *Pool) {
	w := p.workers[e.Serial]
	if w == nil {
		return
	}
	interval := max(e.Interval, leastWatch)
	if e.Interval <= 0 {
		interval = unwatched
	}
	p.heard(w)
	p.change(w, func() { w.Watchdog = interval })
}

func (e Extended) apply(p *Pool) {
	w := p.workers[e.Serial]
	if w == nil || w.PID == 0 || w.Phase == Ready || w.Phase == Killed {
		return
	}
	if until := p.now + e.By; until > w.ExtendedUntil {
		p.change(w, func() { w.ExtendedUntil = until })
	}
}

// lastSaid is how a worker came to grief, and what it had said of itself for
// people: often that is the reason.
func (w *Worker) lastSaid(how string) string {
	if w.Status == "" {
		return how
	}
	return how + "; it said: " + w.Status
}

func (e Said) apply(p *Pool) {
	if w := p.workers[e.Serial]; w != nil && w.Status != e.Text {
		p.change(w, func() { w.Status = e.Text })
	}
}

// watchOf is how long a worker may be silent; 0: for ever.
func (p *Pool) watchOf(w *Worker) time.Duration {
	if w.Watchdog != 0 {
		return max(w.Watchdog, 0)
	}
	return p.set.Watchdog
}

// heard begins the time anew that a worker may be silent.
func (p *Pool) heard(w *Worker) {
	p.alive[w.Serial] = p.now
	delete(p.looked, w.Serial)
}

// watchDeadline is when a ready worker has been silent for too long; before that,
// when it is about to be. From that look on it has time to speak: we and it may
// have been stopped together, and have run again only since.
func (p *Pool) watchDeadline(w *Worker) (at Time, ok bool) {
	interval := p.watchOf(w)
	if interval == 0 || w.silent() {
		return 0, false
	}
	at, wake := max(w.ReadyAt, p.alive[w.Serial])+interval, min(interval/10, longestWake)
	if looked, ok := p.looked[w.Serial]; ok {
		return max(at, looked+wake), true
	}
	return at - wake, true
}

// silence is for a ready worker that was not heard in time. When it is much too
// late for that, it was us who were not there: whatever stopped us may have
// stopped the worker, too.
func (p *Pool) silence(w *Worker) {
	_, looked := p.looked[w.Serial]
	switch at, _ := p.watchDeadline(w); {
	case p.now-at > longestSleep:
		p.heard(w)
	case !looked:
		p.looked[w.Serial] = p.now
	default:
		p.fault(w, fmt.Sprintf("was silent for %v", p.watchOf(w)))
	}
}

// Suspects are the ready workers that are about to be silent for too long. Whoever
// listens to them is to say Faulty of those that it could not hear.
func (p *Pool) Suspects() (serials []uint64) {
	for serial := range p.looked {
		if w := p.workers[serial]; w != nil && w.isReady() {
			serials = append(serials, serial)
		}
	}
	slices.Sort(serials)
	return serials
}

// fault gives the place of a ready worker to another. It may be serving, so it
// is ended only when that one is ready.
func (p *Pool) fault(w *Worker, how string) {
	if p.now-w.ReadyAt < p.set.trial() {
		p.failed(w, p.now, how+" right after it was ready")
	} else {
		p.vacate(w, p.now, false)
	}
	p.change(w, func() { w.SilentAt = p.now })
	p.note(Note{Kind: NoteSilent, Worker: *w, Text: how, Warn: true})
}

// settleSilent ends silent workers for which there is another: they count as
// long as they may be serving.
func (p *Pool) settleSilent() {
	if c := p.counts; c.silent > 0 {
		p.retireSome(min(c.silent, c.all.ready+c.silent-p.st.Number), oldest, (*Worker).silent)
	}
}
