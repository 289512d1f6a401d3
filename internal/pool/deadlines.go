// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"cmp"
	"container/heap"
	"fmt"
)

func (Tick) apply(p *Pool) {
	for {
		w, at := p.nextDue()
		if w == nil || at > p.now {
			return
		}
		p.expire(w)
	}
}

// expire does what the deadline of a worker is for.
func (p *Pool) expire(w *Worker) {
	if at, ok := p.phaseDeadline(w); !ok || at > p.now {
		at, ok = p.givesUpAt(w)
		switch {
		case !ok || at > p.now:
			p.retry(w)
			return
		case w.Phase == Killed:
			p.leave(w)
			return
		}
	}
	switch w.Phase {
	case Starting:
		switch {
		case !p.set.AckManual:
			p.ready(w)
		case w.Uncertain:
			p.change(w, func() { w.OverdueAt = p.now })
			p.noteOf(NoteOverdue, w)
		default:
			p.failed(w, p.now, fmt.Sprintf("did not ACK within %v", p.set.AckTimeout))
			p.advance(w, Stopping)
		}
	case Ready:
		p.silence(w)
	case Draining:
		if p.set.SignalTimeout > 0 {
			p.advance(w, Killed)
		} else {
			p.advance(w, Stopping)
		}
	case Stopping:
		p.advance(w, Killed)
	}
}

// workerDeadline is when something is due for a worker if nothing happens.
func (p *Pool) workerDeadline(w *Worker) (at Time, ok bool) {
	at, ok = p.phaseDeadline(w)
	return p.refusedDeadline(w, at, ok)
}

// phaseDeadline is when a worker has had its time in its phase.
func (p *Pool) phaseDeadline(w *Worker) (at Time, ok bool) {
	switch {
	case w.PID == 0 || w.overdue():
		return 0, false
	case w.Phase == Starting && p.set.AckManual:
		at, ok = p.ackDeadline(w)
	case w.Phase == Starting:
		return w.StartedAt + p.set.AckTime, true
	case w.Phase == Ready:
		return p.watchDeadline(w)
	case w.Phase == Draining:
		at, ok = p.drainDeadline(w)
	case w.Phase == Stopping:
		at, ok = w.SignalAt+p.set.KillTimeout, true
	}
	return max(at, w.ExtendedUntil), ok
}

// ackDeadline is when a starting worker has missed its ACK, in manual mode.
// Where an ACK may take for ever, one that is uncertain cannot: it may have come
// and be lost.
func (p *Pool) ackDeadline(w *Worker) (at Time, ok bool) {
	switch {
	case p.set.AckTimeout > 0:
		return w.StartedAt + p.set.AckTimeout, true
	case w.Uncertain:
		return max(w.DoubtedAt, w.StartedAt) + longDoubt, true
	}
	return 0, false
}

// drainDeadline is when a draining worker is sent TERM, or KILL with a signal
// timeout. One that never ACKed in manual mode has no longer to end than it had
// to ACK: if it hangs, nobody would ever end it.
func (p *Pool) drainDeadline(w *Worker) (at Time, ok bool) {
	if p.set.SignalTimeout > 0 {
		return w.SignalAt + p.set.SignalTimeout, true
	}
	if p.set.DrainTimeout > 0 {
		at, ok = w.SignalAt+p.set.DrainTimeout, true
	}
	if p.set.AckManual && p.set.AckTimeout > 0 && w.ReadyAt == 0 && !w.Uncertain {
		if fault := max(w.StartedAt+p.set.AckTimeout, w.SignalAt); !ok || fault < at {
			at, ok = fault, true
		}
	}
	return at, ok
}

// timer is a deadline that a worker has, or once had.
type timer struct {
	at     Time
	serial uint64
}

// timers is a heap, the earliest first.
type timers []timer

func (t timers) Len() int      { return len(t) }
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t timers) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(t[i].at, t[j].at), cmp.Compare(t[i].serial, t[j].serial)) < 0
}
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

// arm takes note of the deadline that a worker has now. One that has moved to
// later is looked at when the timer of the earlier one comes, so that a worker
// that moves it often costs no more than others.
func (p *Pool) arm(w *Worker) {
	at, ok := p.workerDeadline(w)
	if was, has := p.armed[w.Serial]; ok && (!has || at < was) {
		heap.Push(&p.timers, timer{at, w.Serial})
		p.armed[w.Serial] = at
	}
}

// armAll forgets all deadlines and takes note of those that workers have now.
func (p *Pool) armAll() {
	p.timers = p.timers[:0]
	clear(p.armed)
	for _, w := range p.order {
		p.arm(w)
	}
}

// nextDue is the worker with the earliest deadline, and drops what no worker
// waits for any more; nil: none has one.
func (p *Pool) nextDue() (*Worker, Time) {
	for len(p.timers) > 0 {
		t := p.timers[0]
		w := p.workers[t.serial]
		current := w != nil && p.armed[t.serial] == t.at
		if current {
			if at, ok := p.workerDeadline(w); ok && at == t.at {
				return w, at
			}
		}
		heap.Pop(&p.timers)
		if current {
			delete(p.armed, t.serial)
			p.arm(w)
		}
	}
	return nil, 0
}

// Deadline is when Tick is to be given to Step if nothing happens before. It
// may have come already, but not right after a Tick.
func (p *Pool) Deadline() (at Time, ok bool) {
	earlier := func(t Time) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	if w, due := p.nextDue(); w != nil {
		earlier(due)
	}
	if p.spawnAt != 0 {
		earlier(p.spawnAt)
	}
	if s := p.st.Shortage; s.Since != 0 && p.st.Upgrade.Phase == Running {
		earlier(s.Since + p.set.shortageLimit())
	}
	return at, ok
}

// NextSpawn is when a place that has to wait is filled.
func (p *Pool) NextSpawn() (at Time, ok bool) { return p.spawnAt, p.spawnAt != 0 }

// Missing is how many places have neither a starting nor a ready worker.
func (p *Pool) Missing() int {
	return max(p.st.Number-p.counts.all.ready-p.counts.all.starting, 0)
}
