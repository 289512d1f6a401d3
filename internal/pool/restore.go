// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"slices"
	"sort"
)

// Child is what the keeper knows of a worker for sure.
type Child struct {
	Serial     uint64
	Generation int
	Index      int
	PID        int // 0: not answered yet
	OrderedAt  Time
	StartedAt  Time
	ReadyAt    Time
	Level      Level
	SignalAt   Time
	Refused    string  // why it could not be signalled; "": it could
	Saved      *Worker // what an earlier master saved of it, or nil
	Certain    bool    // that master handed over in order: no ACK can be lost
}

// Restore makes a pool that goes on where the one of a dead master was. st must
// have passed Check. Begun must be the first event, in one step with all that
// has happened meanwhile.
func Restore(set Settings, st State, children []Child, next uint64) *Pool {
	p := New(set, st.Number, next)
	p.st = st
	p.adopt(children)
	if p.st.Upgrade.Phase == Running && p.counts.of[p.st.Upgrade.Generation].ready > 0 {
		p.st.Upgrade.FirstAck = true // the ACK was saved, what follows from it maybe not
	}
	return p
}

// Intent is what no worker can tell.
type Intent struct {
	Number     int
	Generation int // the newest that was looked at and can be started; 0: none is known
	Stop       Stop
}

// Rebuild makes a pool from what exists and what is intended, when nothing
// else can be trusted: the generation with the most ready workers is the good
// one. Begun must be the first event, as for Restore.
func Rebuild(set Settings, intent Intent, children []Child, next uint64) *Pool {
	p := New(set, intent.Number, next)
	p.st.Stop = intent.Stop
	for i := range children {
		children[i].Saved = nil
	}
	p.adopt(children)
	p.st.Generation = max(p.st.Generation, intent.Generation)
	for _, w := range p.order {
		p.st.Generation = max(p.st.Generation, w.Generation)
	}
	p.st.Good = p.st.Generation
	for g := range p.counts.of {
		ready, most := p.ReadyOf(g), p.ReadyOf(p.st.Good)
		if ready > most || ready == most && ready > 0 && g < p.st.Good {
			p.st.Good = g
		}
	}
	if p.st.Good != p.st.Generation {
		p.st.Upgrade = Upgrade{Phase: Aborted, Generation: p.st.Generation, Reason: "the state of the master was lost"}
		p.record(Aborted, p.st.Upgrade.Reason)
	}
	return p
}

// adopt takes in the workers that exist.
func (p *Pool) adopt(children []Child) {
	children = slices.Clone(children)
	sort.Slice(children, func(i, j int) bool { return children[i].Serial < children[j].Serial })
	for _, c := range children {
		w := p.workerOf(c)
		p.indexes.mark(w.Index)
		p.add(w)
		if c.Saved == nil || *w != *c.Saved {
			p.dirty[w.Serial] = w.Phase == Ready
		}
	}
}

// workerOf makes a worker of one that exists. The keeper's word about what it
// is and what it was sent counts; what was saved says what was meant to happen.
func (p *Pool) workerOf(c Child) *Worker {
	w := &Worker{OrderedAt: c.OrderedAt, Phase: Starting, ReadyAt: c.ReadyAt}
	if c.Saved != nil && c.Saved.Phase >= Starting && c.Saved.Phase <= Killed {
		*w = *c.Saved
	} else if c.ReadyAt != 0 {
		w.Phase = Ready
	}
	w.Serial, w.Generation, w.Index = c.Serial, c.Generation, c.Index
	w.PID, w.StartedAt = c.PID, c.StartedAt
	sent := [...]Phase{LevelNone: Starting, LevelRetire: Draining, LevelTerm: Stopping, LevelKill: Killed}[min(max(c.Level, LevelNone), LevelKill)]
	w.SignalAt = 0
	if sent >= w.Phase && sent >= Draining {
		w.Phase, w.SignalAt = sent, c.SignalAt
	} else if w.Leaving && w.Phase == Draining {
		w.SignalAt = c.Saved.SignalAt // nobody sent it anything
	}
	switch {
	case c.Refused == "" || w.serving():
		w.Refused, w.RetryAfter, w.RetryAt, w.Left = "", 0, 0, false
	case w.RetryAfter == 0:
		w.Refused, w.RetryAfter, w.RetryAt = c.Refused, firstRetry, w.SignalAt+firstRetry
	}
	if w.Phase == Starting && p.set.AckManual && !c.Certain {
		w.Uncertain = true
	}
	return w
}

// Check tells what cannot be in a state that a pool has saved.
func (st *State) Check() error {
	u := &st.Upgrade
	switch {
	case st.Number < 1:
		return fmt.Errorf("%d workers are wanted", st.Number)
	case st.Good < 1 || st.Generation < st.Good:
		return fmt.Errorf("generation %d is newer than the newest, %d", st.Good, st.Generation)
	case u.Phase < Idle || u.Phase >= Superseded:
		return fmt.Errorf("an upgrade is never in phase %d", int(u.Phase))
	case u.Phase == Running && u.Generation != st.Generation:
		return fmt.Errorf("an upgrade to generation %d runs, but the newest is %d", u.Generation, st.Generation)
	case st.Failures.Count < 0 || u.Failures.Count < 0:
		return fmt.Errorf("%d and %d failed starts in a row", st.Failures.Count, u.Failures.Count)
	}
	return st.Stop.Check()
}

// Check tells what cannot be in a stop that a pool has saved.
func (s *Stop) Check() error {
	if s.Level < LevelNone || s.Level > LevelKill {
		return fmt.Errorf("there is no level %d of a stop", int(s.Level))
	}
	return nil
}
