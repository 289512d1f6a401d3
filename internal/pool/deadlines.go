// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import "fmt"

func (Tick) apply(p *Pool) {
	for _, w := range p.pick(func(w *Worker) bool {
		at, ok := p.workerDeadline(w)
		return ok && at <= p.now
	}) {
		p.expire(w)
	}
}

// expire does what the deadline of a worker is for.
func (p *Pool) expire(w *Worker) {
	switch w.Phase {
	case Starting:
		switch {
		case !p.set.AckManual:
			p.ready(w)
		case w.Uncertain:
			w.OverdueAt = p.now
			p.touch(w)
			p.noteOf(NoteOverdue, w)
		default:
			p.failed(w, p.now, fmt.Sprintf("did not ACK within %v,", p.set.AckTimeout))
			p.advance(w, Stopping)
		}
	case Draining:
		p.advance(w, Stopping)
	case Stopping:
		p.advance(w, Killed)
	}
}

// workerDeadline is when something is due for a worker if nothing happens.
func (p *Pool) workerDeadline(w *Worker) (Time, bool) {
	switch {
	case w.PID == 0 || w.overdue():
	case w.Phase == Starting && p.set.AckManual:
		return w.StartedAt + p.set.AckTimeout, true
	case w.Phase == Starting:
		return w.StartedAt + p.set.AckTime, true
	case w.Phase == Draining && p.set.DrainTimeout > 0:
		return w.SignalAt + p.set.DrainTimeout, true
	case w.Phase == Stopping:
		return w.SignalAt + p.set.KillTimeout, true
	}
	return 0, false
}

// Deadline is when Tick is to be given to Step if nothing happens before.
func (p *Pool) Deadline() (at Time, ok bool) {
	earlier := func(t Time) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	for _, w := range p.workers {
		if t, due := p.workerDeadline(w); due {
			earlier(t)
		}
	}
	if p.st.Stop.Level > 0 {
		return at, ok
	}
	if t, due := p.NextSpawn(); due {
		earlier(t)
	}
	if s := p.st.Shortage; s.Since != 0 && p.st.Upgrade.Phase == Running {
		earlier(s.Since + p.set.AckTimeout)
	}
	return at, ok
}

// NextSpawn is when a place that has to wait is filled.
func (p *Pool) NextSpawn() (at Time, ok bool) {
	consider := func(t Time) {
		if t > p.now && (!ok || t < at) {
			at, ok = t, true
		}
	}
	for _, v := range p.st.Upgrade.Vacancies {
		consider(v.NotBefore)
	}
	if p.givenUp() {
		if c := p.census(p.st.Good); c.ready < p.st.Number && c.starting == 0 && c.ready+c.otherReady > 0 {
			consider(p.st.TriedAt + giveUpPause)
		}
	} else {
		for _, v := range p.st.Vacancies {
			consider(v.NotBefore)
		}
	}
	if ok && p.shortNow() {
		at = max(at, p.st.Shortage.Until)
	} else if p.st.Shortage.Since != 0 {
		consider(p.st.Shortage.Until)
	}
	return at, ok
}

// Missing is how many places have neither a starting nor a ready worker.
func (p *Pool) Missing() int {
	filled := 0
	for _, w := range p.workers {
		if w.Phase == Ready || w.starts() {
			filled++
		}
	}
	return max(p.st.Number-filled, 0)
}
