// SPDX-License-Identifier: GPL-3.0-or-later

// Package pool decides everything: which workers are started, retired and
// killed, when an upgrade is done or given up, when all ends. It is pure:
// events and a time go in, actions and the next deadline come out. It reads no
// clock, starts no goroutine and knows no operating system.
//
// events.go has one method for each thing that can happen, says.go those for what
// a worker says of itself. After each of them
// settle compares what is with what is wanted and closes the gap: stop.go on
// the way out, upgrade.go while an upgrade runs (it begins with a look at what
// to start from, look.go), fill.go otherwise.
// workers.go counts workers and takes them from phase to phase, deadlines.go
// holds what happens when nothing happens. state.go is all that there is to
// remember, as plain data that restore.go makes a later pool from.
// docs/states.md has the table of every state and every event.
package pool

import (
	"maps"
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
	longShortage  = 30 * time.Second // that ends an upgrade where an ACK may take for ever
	longDoubt     = 60 * time.Second // about an ACK, likewise
	maxInFlight   = 32               // spawns ordered and not answered
	maxHistory    = 16               // outcomes of upgrades that are remembered
)

// Forever as Settings.Retries never gives up.
const Forever = 0

// Settings are the operator's.
type Settings struct {
	AckManual  bool
	AckTime    time.Duration // timer mode
	AckTimeout time.Duration // manual mode; 0: never

	Retries        int // or Forever
	UpgradeRetries int // at least 1

	Seconds              time.Duration
	MaxUnacked           int // at least 1
	MaxUpgradeAdditional int // 0: no limit

	GracefulSignal Signal
	DrainTimeout   time.Duration // from the graceful signal to TERM; 0: never
	KillTimeout    time.Duration // from TERM to KILL
	SignalTimeout  time.Duration // from the graceful signal to KILL; 0: the two above hold

	Watchdog time.Duration // how long a ready worker may be silent; 0: for ever
}

// trial is how long a ready worker is on trial: one that dies within it has
// failed to start.
func (s *Settings) trial() time.Duration {
	if s.AckManual {
		return s.Seconds
	}
	return max(s.Seconds, s.AckTime)
}

// shortageLimit is how long an upgrade waits for what the system lacks.
func (s *Settings) shortageLimit() time.Duration {
	if s.AckTimeout == 0 {
		return longShortage
	}
	return s.AckTimeout
}

// Pool is the whole of the decisions. It is not safe for concurrent use.
type Pool struct {
	set     Settings
	st      State
	workers map[uint64]*Worker
	order   []*Worker // the same, by serial: in the order of spawning
	next    uint64    // serial of the next worker
	now     Time

	counts  counts
	indexes indexes
	timers  timers
	armed   map[uint64]Time // when the earliest timer of a worker is
	alive   map[uint64]Time // when a worker was last heard, but for its ACK; not saved
	looked  map[uint64]Time // since when one that is about to be silent for too long has had time to speak; not saved

	out     Output
	dirty   map[uint64]bool // workers to save; true: its ACK is new
	changed bool            // the state is to be saved
	kept    []int           // generations of which workers may still be spawned, as last saved
	waiting int             // draining workers that the upgrade was last said to wait for
	spawnAt Time            // when a place that has to wait is filled; 0: none has to
	lacking bool            // a worker is missing that a shortage may keep from us
	grown   bool            // more workers are wanted since this step
}

// New makes the pool of a first start: number workers are wanted and none
// exists. Serials count from next.
func New(set Settings, number int, next uint64) *Pool {
	return &Pool{
		set: set, next: next,
		st:      State{Number: number, Generation: 1, Good: 1},
		workers: map[uint64]*Worker{}, counts: counts{of: map[int]tally{}},
		dirty: map[uint64]bool{}, changed: true, armed: map[uint64]Time{}, alive: map[uint64]Time{}, looked: map[uint64]Time{},
	}
}

// Output is what one step asks for: first the saves, then the actions, each in
// their order. Whoever carries it out may be killed at any point of it. The
// slices are valid until the next step.
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
	// Generations of which workers may still be spawned, beside the state. What
	// is needed to start workers of others may be thrown away.
	Generations []int
}

// Action is Spawn, Send, Forget, Renew or Look.
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

// Look asks for a fresh look at the world, from which workers of this
// generation are to be started. It is answered by Looked or LookFailed, and
// may be repeated.
type Look struct{ Generation int }

func (Spawn) action()  {}
func (Send) action()   {}
func (Forget) action() {}
func (Renew) action()  {}
func (Look) action()   {}

// End says that all is over.
type End struct {
	Status int
	Reason string
}

// begin opens a step.
func (p *Pool) begin(now Time) {
	p.now, p.grown = max(p.now, now), false
	p.out = Output{Actions: p.out.Actions[:0], Notes: p.out.Notes[:0], Saves: p.out.Saves[:0]}
}

// finish settles and closes a step. ACKs are saved first, so that no worker is
// ever given up for a successor that the next master takes for unACKed.
func (p *Pool) finish() *Output {
	p.settle()
	serials := slices.Sorted(maps.Keys(p.dirty))
	for _, serial := range serials {
		if p.dirty[serial] && p.workers[serial].Phase == Ready {
			p.saveWorker(serial)
		}
	}
	if kept := p.generations(); p.changed || !slices.Equal(kept, p.kept) {
		p.changed, p.kept = false, kept
		st := p.st
		p.out.Saves = append(p.out.Saves, Save{State: &st, Generations: kept})
	}
	for _, serial := range serials {
		if _, left := p.dirty[serial]; left {
			p.saveWorker(serial)
		}
	}
	return &p.out
}

func (p *Pool) saveWorker(serial uint64) {
	w := *p.workers[serial]
	p.out.Saves = append(p.out.Saves, Save{Worker: &w})
	delete(p.dirty, serial)
}

// settle closes the gap between what is and what is wanted.
func (p *Pool) settle() {
	p.spawnAt, p.lacking = 0, false
	if p.st.Stop.Level > 0 {
		p.settleStop()
		return
	}
	p.settleSilent()
	for p.st.Upgrade.Phase == Running && p.settleUpgrade() {
		// it has ended, and another one may have begun
	}
	if p.st.Upgrade.Phase != Running {
		p.settleFill()
	}
	if p.st.Shortage.Since != 0 && !p.lacking && p.counts.inFlight == 0 {
		p.st.Shortage = Shortage{} // nothing is wanted any more that it could keep from us
		p.touchState()
	}
}

func (p *Pool) do(a Action)              { p.out.Actions = append(p.out.Actions, a) }
func (p *Pool) touchState()              { p.changed = true }
func (p *Pool) note(n Note)              { p.out.Notes = append(p.out.Notes, n) }
func (p *Pool) noteOf(k Kind, w *Worker) { p.note(Note{Kind: k, Worker: *w}) }
