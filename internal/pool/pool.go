// SPDX-License-Identifier: GPL-3.0-or-later

// Package pool decides everything: which workers are started, retired and
// killed, when an upgrade is done or given up, when all ends. It is pure:
// events and a time go in, actions and the next deadline come out. It reads no
// clock, starts no goroutine and knows no operating system.
//
// events.go has one method for each thing that can happen. After each of them
// settle compares what is with what is wanted and closes the gap: stop.go on
// the way out, upgrade.go while an upgrade runs, fill.go otherwise.
// deadlines.go holds what happens when nothing happens. state.go is all that
// there is to remember, as plain data that a later pool can be made from.
// docs/states.md has the table of every state and every event.
package pool

import (
	"slices"
	"time"
)

// Time is a reading of CLOCK_MONOTONIC.
type Time = time.Duration

// Signal is a signal number.
type Signal int

// The signals that the pool itself sends, signal(7); these numbers are the
// same on every system that we build for.
const (
	SigQuit Signal = 3
	SigKill Signal = 9
	SigTerm Signal = 15
)

// The limits that are not for the operator to choose.
const (
	maxBackoff    = 30 * time.Second // between spawns in one place
	giveUpPause   = 30 * time.Second // between tries once spawning was given up
	firstShortage = 100 * time.Millisecond
	maxShortage   = 5 * time.Second
	maxInFlight   = 32 // spawns ordered and not answered
	maxHistory    = 16 // outcomes of upgrades that are remembered
)

// Forever as Settings.Retries never gives up.
const Forever = 0

// Settings are the operator's.
type Settings struct {
	AckManual  bool
	AckTime    time.Duration // timer mode
	AckTimeout time.Duration // manual mode

	Retries        int // or Forever
	UpgradeRetries int // at least 1

	Seconds              time.Duration
	MaxUnacked           int // at least 1
	MaxUpgradeAdditional int // 0: no limit

	GracefulSignal Signal
	DrainTimeout   time.Duration // 0: never
	KillTimeout    time.Duration
}

// trial is how long a ready worker is on trial: one that dies within it has
// failed to start.
func (s *Settings) trial() time.Duration {
	if s.AckManual {
		return s.Seconds
	}
	return max(s.Seconds, s.AckTime)
}

// Pool is the whole of the decisions. It is not safe for concurrent use.
type Pool struct {
	set     Settings
	st      State
	workers map[uint64]*Worker
	serials []uint64 // of workers, ascending: the order of spawning
	next    uint64   // serial of the next worker
	now     Time

	out     Output
	dirty   map[uint64]bool // workers to save
	changed bool            // the state is to be saved
	waiting int             // draining workers that the upgrade was last said to wait for
}

// New makes the pool of a first start: number workers are wanted and none
// exists. Serials count from next.
func New(set Settings, number int, next uint64) *Pool {
	return &Pool{
		set: set, next: next,
		st:      State{Number: number, Generation: 1, Good: 1},
		workers: map[uint64]*Worker{}, dirty: map[uint64]bool{}, changed: true,
	}
}

// Output is what one step asks for: first the saves, then the actions in their
// order. The slices are valid until the next step.
type Output struct {
	Saves   []Save
	Actions []Action
	Notes   []Note
	End     *End
}

// Save asks for something to be kept for a later pool.
type Save struct {
	Worker *Worker // nil: the state
	State  *State
}

// Action is Spawn, Send, Forget or Renew.
type Action interface{ action() }

// Spawn asks for a worker. It is answered by Spawned or SpawnFailed.
type Spawn struct {
	Serial     uint64
	Generation int
	Index      int
}

// Send asks for a signal to a worker, or to its whole process group. Level
// says what state it belongs to.
type Send struct {
	Serial uint64
	Signal Signal
	Group  bool
	Level  Level
}

// Forget says that the end of this worker was dealt with.
type Forget struct{ Serial uint64 }

// Renew asks that the control socket be bound anew if its path is gone.
type Renew struct{}

func (Spawn) action()  {}
func (Send) action()   {}
func (Forget) action() {}
func (Renew) action()  {}

// End says that all is over.
type End struct {
	Status int
	Reason string
}

// begin opens a step.
func (p *Pool) begin(now Time) {
	p.now = max(p.now, now)
	p.out = Output{Actions: p.out.Actions[:0], Notes: p.out.Notes[:0], Saves: p.out.Saves[:0]}
}

// finish settles and closes a step.
func (p *Pool) finish() *Output {
	p.settle()
	if p.changed {
		p.changed = false
		st := p.st
		p.out.Saves = append(p.out.Saves, Save{State: &st})
	}
	if len(p.dirty) > 0 {
		for _, serial := range p.serials {
			if p.dirty[serial] {
				w := *p.workers[serial]
				p.out.Saves = append(p.out.Saves, Save{Worker: &w})
			}
		}
		clear(p.dirty)
	}
	return &p.out
}

// settle closes the gap between what is and what is wanted.
func (p *Pool) settle() {
	if p.st.Stop.Level > 0 {
		p.settleStop()
		return
	}
	if p.st.Upgrade.Phase == Running {
		p.settleUpgrade()
	}
	if p.st.Upgrade.Phase != Running {
		p.settleFill()
	}
}

func (p *Pool) do(a Action)              { p.out.Actions = append(p.out.Actions, a) }
func (p *Pool) touch(w *Worker)          { p.dirty[w.Serial] = true }
func (p *Pool) touchState()              { p.changed = true }
func (p *Pool) note(n Note)              { p.out.Notes = append(p.out.Notes, n) }
func (p *Pool) noteOf(k Kind, w *Worker) { p.note(Note{Kind: k, Worker: *w}) }

// each calls f for every worker in the order of spawning.
func (p *Pool) each(f func(*Worker)) {
	for _, serial := range p.serials {
		f(p.workers[serial])
	}
}

// pick returns the workers that f accepts, in the order of spawning.
func (p *Pool) pick(f func(*Worker) bool) []*Worker {
	var list []*Worker
	p.each(func(w *Worker) {
		if f(w) {
			list = append(list, w)
		}
	})
	return list
}

// remove drops a worker that is gone.
func (p *Pool) remove(w *Worker) {
	delete(p.workers, w.Serial)
	delete(p.dirty, w.Serial)
	if i, ok := slices.BinarySearch(p.serials, w.Serial); ok {
		p.serials = slices.Delete(p.serials, i, i+1)
	}
	p.do(Forget{w.Serial})
}

// spawn orders one more worker of a generation.
func (p *Pool) spawn(generation int) {
	w := &Worker{
		Serial: p.next, Generation: generation, Index: p.freeIndex(),
		Phase: Starting, OrderedAt: p.now,
	}
	p.next++
	p.workers[w.Serial] = w
	p.serials = append(p.serials, w.Serial)
	p.do(Spawn{w.Serial, w.Generation, w.Index})
}

// freeIndex is the lowest number that no worker has.
func (p *Pool) freeIndex() int {
	used := make([]bool, len(p.workers)+1)
	for _, w := range p.workers {
		if w.Index < len(used) {
			used[w.Index] = true
		}
	}
	return slices.Index(used, false)
}

func (p *Pool) inFlight() int {
	n := 0
	for i := len(p.serials) - 1; i >= 0; i-- {
		if p.workers[p.serials[i]].PID == 0 {
			n++
		}
	}
	return n
}
