// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import "slices"

// census counts the workers, as seen from one generation: its own, and the
// others.
type census struct {
	ready, starting           int
	otherReady, otherStarting int
	overdue, silent           int // of all generations; in none of the other numbers
	draining                  int // draining, stopping and killed, of all generations
}

// processes are all but the overdue and the silent ones.
func (c *census) processes() int {
	return c.ready + c.starting + c.otherReady + c.otherStarting + c.draining
}

// tally counts workers of one generation that nobody has asked to end.
type tally struct{ ready, starting int }

// counts are kept up to date with every change, so that no step has to look at
// all workers.
type counts struct {
	of       map[int]tally
	all      tally
	overdue  int
	silent   int
	draining int
	inFlight int // ordered and not answered
}

// add counts a worker in (by is 1) or out (-1).
func (c *counts) add(w *Worker, by int) {
	t := c.of[w.Generation]
	switch {
	case w.isReady():
		t.ready += by
		c.all.ready += by
	case w.starts():
		t.starting += by
		c.all.starting += by
	case w.overdue():
		c.overdue += by
	case w.silent():
		c.silent += by
	default:
		c.draining += by
	}
	if c.of[w.Generation] = t; t == (tally{}) {
		delete(c.of, w.Generation)
	}
	if w.PID == 0 {
		c.inFlight += by
	}
}

func (p *Pool) census(generation int) census {
	c, own := p.counts, p.counts.of[generation]
	return census{
		ready: own.ready, starting: own.starting,
		otherReady: c.all.ready - own.ready, otherStarting: c.all.starting - own.starting,
		overdue: c.overdue, silent: c.silent, draining: c.draining,
	}
}

// indexes knows which values of EINHORN_CHILD_INDEX are taken.
type indexes struct {
	taken  []bool
	lowest int // nothing below is free
}

// take takes the lowest index that no worker has.
func (x *indexes) take() int {
	for x.lowest < len(x.taken) && x.taken[x.lowest] {
		x.lowest++
	}
	x.mark(x.lowest)
	return x.lowest
}

func (x *indexes) mark(i int) {
	for len(x.taken) <= i {
		x.taken = append(x.taken, false)
	}
	x.taken[i] = true
}

func (x *indexes) giveBack(i int) {
	x.taken[i] = false
	x.lowest = min(x.lowest, i)
}

// spawn orders one more worker of a generation.
func (p *Pool) spawn(generation int) {
	w := &Worker{
		Serial: p.next, Generation: generation, Index: p.indexes.take(),
		Phase: Starting, OrderedAt: p.now,
	}
	p.next++
	p.add(w)
	p.do(Spawn{w.Serial, w.Generation, w.Index})
}

// add takes in a worker that is younger than all others.
func (p *Pool) add(w *Worker) {
	p.workers[w.Serial] = w
	p.order = append(p.order, w)
	p.counts.add(w, 1)
	p.arm(w)
}

// remove drops a worker that is gone.
func (p *Pool) remove(w *Worker) {
	delete(p.workers, w.Serial)
	delete(p.dirty, w.Serial)
	delete(p.armed, w.Serial)
	delete(p.alive, w.Serial)
	delete(p.looked, w.Serial)
	if i, ok := slices.BinarySearchFunc(p.order, w.Serial, compareSerial); ok {
		p.order = slices.Delete(p.order, i, i+1)
	}
	p.counts.add(w, -1)
	p.indexes.giveBack(w.Index)
	p.do(Forget{w.Serial})
}

func compareSerial(w *Worker, serial uint64) int {
	if w.Serial < serial {
		return -1
	}
	return int(min(w.Serial-serial, 1))
}

// change lets f change a worker: what is counted, due and to be saved follows.
func (p *Pool) change(w *Worker, f func()) {
	p.counts.add(w, -1)
	f()
	p.counts.add(w, 1)
	p.arm(w)
	p.dirty[w.Serial] = p.dirty[w.Serial] || w.Phase == Ready
}

// order says which workers go first.
type order bool

const (
	youngest order = true
	oldest   order = false
)

// retireSome retires up to count of the workers that f accepts.
func (p *Pool) retireSome(count int, which order, f func(*Worker) bool) {
	for i := range p.order {
		if count <= 0 {
			return
		}
		if which == youngest {
			i = len(p.order) - 1 - i
		}
		if w := p.order[i]; w.serving() && f(w) {
			p.retire(w)
			count--
		}
	}
}

// retire asks a worker to end gracefully; one that is silent is at fault, unless
// it was us who could not hear it.
func (p *Pool) retire(w *Worker) {
	if w.silent() && !w.Blameless {
		p.advance(w, Stopping)
	} else {
		p.advance(w, Draining)
	}
}

// advance takes a worker to a later phase and sends it the signal of that
// phase, or leaves that to the answer of its spawn.
func (p *Pool) advance(w *Worker, to Phase) {
	if w.Phase >= to {
		return
	}
	p.change(w, func() { w.Phase, w.SignalAt, w.ExtendedUntil = to, 0, 0 })
	if w.PID != 0 {
		p.send(w)
	}
}

// send sends the signal of the worker's phase.
func (p *Pool) send(w *Worker) {
	p.change(w, func() {
		w.SignalAt = p.now
		if w.Refused != "" {
			w.RetryAfter, w.RetryAt = firstRetry, p.now+firstRetry
		}
	})
	p.do(p.signalOf(w))
	p.noteOf(map[Phase]Kind{Draining: NoteRetired, Stopping: NoteStopped, Killed: NoteKilled}[w.Phase], w)
}

// signalOf is the signal of the worker's phase.
func (p *Pool) signalOf(w *Worker) Send {
	switch w.Phase {
	case Stopping:
		return Send{Serial: w.Serial, Signal: SigTerm, Level: LevelTerm, Group: true}
	case Killed:
		return Send{Serial: w.Serial, Signal: SigKill, Level: LevelKill, Group: true}
	}
	return Send{Serial: w.Serial, Signal: p.gracefulSignal(), Level: LevelRetire}
}

func (p *Pool) gracefulSignal() Signal {
	if p.st.Stop.Signal != 0 {
		return p.st.Stop.Signal
	}
	return p.set.GracefulSignal
}
