// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"cmp"
	"fmt"
	"slices"
)

// census counts the workers that nobody has asked to end, as seen from one
// generation: its own, and the others.
type census struct {
	ready, starting           int
	otherReady, otherStarting int
	processes                 int // all but the overdue ones
	draining                  int // draining, stopping and killed
}

func (p *Pool) census(generation int) (c census) {
	for _, w := range p.workers {
		own := w.Generation == generation
		switch {
		case w.Phase == Ready && own:
			c.ready++
		case w.Phase == Ready:
			c.otherReady++
		case w.starts() && own:
			c.starting++
		case w.starts():
			c.otherStarting++
		case !w.serving():
			c.draining++
		}
		if !w.overdue() {
			c.processes++
		}
	}
	return c
}

// settleFill keeps the good generation at its number while no upgrade runs.
// Workers of another generation, which an aborted upgrade left, serve until
// replacements are ready.
func (p *Pool) settleFill() {
	good, n := p.st.Good, p.st.Number
	c := p.census(good)
	p.retireSome(c.otherStarting, youngest, func(w *Worker) bool {
		return w.starts() && w.Generation != good
	})
	p.retireSome(min(c.otherReady, c.ready+c.otherReady-n), youngest, func(w *Worker) bool {
		return w.Phase == Ready && w.Generation != good
	})
	excess := c.ready + c.starting - n
	p.retireSome(min(excess, c.starting), youngest, func(w *Worker) bool {
		return w.starts() && w.Generation == good
	})
	p.retireSome(min(excess-c.starting, c.ready), youngest, func(w *Worker) bool {
		return w.Phase == Ready && w.Generation == good
	})
	if c.ready >= n {
		p.retireSome(len(p.workers), youngest, (*Worker).overdue)
	}
	p.fill(-excess, c)
	if p.givenUp() && c.ready+c.starting+c.otherReady == 0 && p.allEnded() {
		p.out.End = &End{Status: 1, Reason: fmt.Sprintf("no worker is left and %d starts in a row failed, the last: %s", p.st.Failures.Count, p.st.LastFailure.Text)}
	}
}

// allEnded tells whether nothing is left that would be left behind.
func (p *Pool) allEnded() bool { return len(p.workers) == 0 }

// fill spawns what is missing of the good generation, or in an upgrade of the
// old ones, except in places where it is too early.
func (p *Pool) fill(missing int, c census) {
	free, early := p.places(&p.st.Vacancies, missing)
	if missing <= 0 || p.shortNow() {
		return
	}
	count := min(missing-early, maxInFlight-p.inFlight())
	if p.givenUp() {
		if c.ready+c.otherReady == 0 || c.starting > 0 || p.now < p.st.TriedAt+giveUpPause {
			return
		}
		count = min(count, 1)
		p.st.TriedAt = p.now
		p.note(Note{Kind: NoteGivenUp, Text: fmt.Sprintf("trying once more after %d failed starts; the last: %s", p.st.Failures.Count, p.st.LastFailure.Text), Error: true})
	}
	for i := range count {
		generation := p.st.Good
		if i < len(free) && p.st.Upgrade.Phase == Running {
			generation = free[i].Generation
		}
		p.spawn(generation)
	}
	p.taken(&p.st.Vacancies, min(count, len(free)))
}

// places sorts the vacancies, drops the latest of those that are more than
// missing, and returns those whose time has come and the number of the others.
func (p *Pool) places(list *[]Vacancy, missing int) (free []Vacancy, early int) {
	if len(*list) == 0 {
		return nil, 0
	}
	slices.SortStableFunc(*list, func(a, b Vacancy) int { return cmp.Compare(a.NotBefore, b.NotBefore) })
	if keep := max(missing, 0); keep < len(*list) {
		*list = (*list)[:keep]
		p.touchState()
	}
	for i, v := range *list {
		if v.NotBefore > p.now {
			return slices.Clone((*list)[:i]), len(*list) - i
		}
	}
	return slices.Clone(*list), 0
}

// taken drops the first count vacancies: workers were spawned there.
func (p *Pool) taken(list *[]Vacancy, count int) {
	if count > 0 {
		*list = slices.Clone((*list)[count:])
	}
	p.touchState()
}

// vacate frees the place of a worker that has ended, or is at fault. It is
// refilled at once when the worker lived long enough.
func (p *Pool) vacate(w *Worker, at Time) {
	v := Vacancy{NotBefore: p.now, Generation: w.Generation}
	if at-w.StartedAt < p.set.Seconds {
		v.NotBefore = max(p.now, w.StartedAt+p.backoff(p.streak(w).Count))
	}
	if p.isNew(w) {
		p.st.Upgrade.Vacancies = append(p.st.Upgrade.Vacancies, v)
	} else {
		p.st.Vacancies = append(p.st.Vacancies, v)
	}
	p.touchState()
}

// backoff is seconds × 1.5^k, at most maxBackoff.
func (p *Pool) backoff(k int) Time {
	d := float64(p.set.Seconds)
	for ; k > 0 && d < float64(maxBackoff); k-- {
		d *= 1.5
	}
	return min(Time(d), maxBackoff)
}

// givenUp tells whether so many starts failed in a row that only single tries
// are left.
func (p *Pool) givenUp() bool {
	return p.set.Retries != Forever && p.st.Failures.Count >= p.set.Retries
}

func (p *Pool) shortNow() bool {
	return p.st.Shortage.Since != 0 && p.now < p.st.Shortage.Until
}

// order says which workers go first.
type order bool

const (
	youngest order = true
	oldest   order = false
)

// retireSome retires up to count of the workers that f accepts.
func (p *Pool) retireSome(count int, which order, f func(*Worker) bool) {
	if count <= 0 {
		return
	}
	list := p.pick(f)
	if which == youngest {
		slices.Reverse(list)
	}
	for _, w := range list[:min(count, len(list))] {
		p.retire(w)
	}
}

// retire asks a worker to end gracefully.
func (p *Pool) retire(w *Worker) { p.advance(w, Draining) }

// advance takes a worker to a later phase and sends it the signal of that
// phase, or leaves that to the answer of its spawn.
func (p *Pool) advance(w *Worker, to Phase) {
	if w.Phase >= to {
		return
	}
	w.Phase, w.SignalAt = to, 0
	p.touch(w)
	if w.PID != 0 {
		p.send(w)
	}
}

// send sends the signal of the worker's phase.
func (p *Pool) send(w *Worker) {
	w.SignalAt = p.now
	p.touch(w)
	s := Send{Serial: w.Serial}
	kind := NoteRetired
	switch w.Phase {
	case Draining:
		s.Signal, s.Level = p.gracefulSignal(), LevelRetire
	case Stopping:
		s.Signal, s.Level, s.Group, kind = SigTerm, LevelTerm, true, NoteStopped
	case Killed:
		s.Signal, s.Level, s.Group, kind = SigKill, LevelKill, true, NoteKilled
	}
	p.do(s)
	p.noteOf(kind, w)
}

func (p *Pool) gracefulSignal() Signal {
	if p.st.Stop.Signal != 0 {
		return p.st.Stop.Signal
	}
	return p.set.GracefulSignal
}
