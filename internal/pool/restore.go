// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"slices"
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
	Saved      *Worker // what a dead master saved of it, or nil
}

// Restore makes a pool that goes on where the one of a dead master was. Begun
// must be its first event, in one step with all that has happened meanwhile.
func Restore(set Settings, st State, children []Child, next uint64) *Pool {
	p := New(set, st.Number, next)
	p.st = st
	for _, c := range children {
		p.adopt(c)
	}
	return p
}

// Rebuild makes a pool from what exists alone, when nothing else can be
// trusted: the generation with the most ready workers is the good one.
func Rebuild(set Settings, number int, children []Child, next uint64) *Pool {
	p := New(set, number, next)
	ready := map[int]int{}
	for _, c := range children {
		c.Saved = nil
		p.adopt(c)
		p.st.Generation = max(p.st.Generation, c.Generation)
		if c.ReadyAt != 0 && c.Level == LevelNone {
			ready[c.Generation]++
		}
	}
	p.st.Good = p.st.Generation
	for g, count := range ready {
		if count > ready[p.st.Good] || count == ready[p.st.Good] && g < p.st.Good {
			p.st.Good = g
		}
	}
	if p.st.Good != p.st.Generation {
		p.st.Upgrade = Upgrade{Phase: Aborted, Generation: p.st.Generation, Reason: "the state of the master was lost"}
	}
	return p
}

// adopt adds a worker that exists. The keeper's word about what it is and what
// it was sent counts; what was saved says what was meant to happen.
func (p *Pool) adopt(c Child) {
	w := &Worker{OrderedAt: c.OrderedAt, Phase: Starting, ReadyAt: c.ReadyAt}
	if c.Saved != nil {
		*w = *c.Saved
	} else if c.ReadyAt != 0 {
		w.Phase = Ready
	}
	w.Serial, w.Generation, w.Index = c.Serial, c.Generation, c.Index
	w.PID, w.StartedAt = c.PID, c.StartedAt
	sent := [...]Phase{LevelNone: Starting, LevelRetire: Draining, LevelTerm: Stopping, LevelKill: Killed}[c.Level]
	w.SignalAt = 0
	if sent >= w.Phase && sent >= Draining {
		w.Phase, w.SignalAt = sent, c.SignalAt
	}
	if w.Phase == Starting && p.set.AckManual {
		w.Uncertain = true
	}
	p.workers[w.Serial] = w
	p.serials = append(p.serials, w.Serial)
	slices.Sort(p.serials)
	p.touch(w)
}

// Check tells what cannot be in a state that a pool has saved.
func (st *State) Check() error {
	switch {
	case st.Number < 1:
		return fmt.Errorf("%d workers are wanted", st.Number)
	case st.Good < 1 || st.Generation < st.Good:
		return fmt.Errorf("generation %d is newer than the newest, %d", st.Good, st.Generation)
	case st.Upgrade.Phase < Idle || st.Upgrade.Phase > Superseded:
		return fmt.Errorf("there is no phase %d of an upgrade", st.Upgrade.Phase)
	case st.Stop.Level < LevelNone || st.Stop.Level > LevelKill:
		return fmt.Errorf("there is no level %d of a stop", st.Stop.Level)
	}
	return nil
}
