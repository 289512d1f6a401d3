// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"slices"
)

// Phase is where a worker is in its life.
type Phase int

// The phases, in the order in which a worker may pass them.
const (
	Starting Phase = iota // ordered or started, not ACKed
	Ready
	Draining // was sent the graceful signal
	Stopping // was sent TERM
	Killed   // was sent KILL
)

var phaseNames = [...]string{"starting", "ready", "draining", "stopping", "killed"}

func (p Phase) String() string {
	if p < 0 || int(p) >= len(phaseNames) {
		return fmt.Sprintf("phase %d", int(p))
	}
	return phaseNames[p]
}

// Level is what a signal means to a worker's phase; the numbers are the
// link's.
type Level int

// The levels; LevelNone changes no phase.
const (
	LevelNone Level = iota
	LevelRetire
	LevelTerm
	LevelKill
)

// Worker is one child process, from the order to spawn it to its end.
type Worker struct {
	Serial     uint64 `json:"serial"`
	Generation int    `json:"generation"`
	Index      int    `json:"index"`
	Phase      Phase  `json:"phase"`
	PID        int    `json:"pid"` // 0: not spawned yet
	OrderedAt  Time   `json:"ordered_at"`
	StartedAt  Time   `json:"started_at"`
	ReadyAt    Time   `json:"ready_at"`
	SignalAt   Time   `json:"signal_at"`  // when it was sent the signal of its phase; 0: not yet
	Uncertain  bool   `json:"uncertain"`  // was starting when a master died, so its ACK may be lost
	DoubtedAt  Time   `json:"doubted_at"` // since when it is uncertain
	OverdueAt  Time   `json:"overdue_at"` // when an uncertain one missed its ACK timeout

	// What its keeper could not do; see refused.go.
	Refused    string `json:"refused"`     // why it could not be signalled; "": it could
	RetryAt    Time   `json:"retry_at"`    // when that is tried again
	RetryAfter Time   `json:"retry_after"` // the pause before
	Left       bool   `json:"left"`        // nobody waits for it any more

	// What it has said of itself; see says.go.
	Watchdog      Time   `json:"watchdog"`       // how long it may be silent; 0: as long as all, less: it is not watched
	SilentAt      Time   `json:"silent_at"`      // when it had been silent for too long
	Blameless     bool   `json:"blameless"`      // that was no fault of its own
	ExtendedUntil Time   `json:"extended_until"` // before this no deadline of its phase comes
	Leaving       bool   `json:"leaving"`        // it is draining because it said that it ends
	Status        string `json:"status"`         // for people
}

// serving tells whether nobody has asked the worker to end.
func (w *Worker) serving() bool { return w.Phase <= Ready }

// starts tells whether a place is about to be filled by this worker.
func (w *Worker) starts() bool { return w.Phase == Starting && w.OverdueAt == 0 }

// isReady tells whether it fills a place.
func (w *Worker) isReady() bool { return w.Phase == Ready && w.SilentAt == 0 }

// silent tells whether a ready worker is kept only until its successor is there.
func (w *Worker) silent() bool { return w.Phase == Ready && w.SilentAt != 0 }

// overdue tells whether the worker is kept only until its replacement is there.
func (w *Worker) overdue() bool { return w.Phase == Starting && w.OverdueAt != 0 }

// State is all that a pool remembers beside its workers: intent, not truth.
type State struct {
	Number      int       `json:"number"`
	Generation  int       `json:"generation"` // the newest
	Good        int       `json:"good"`       // the last whose upgrade was done
	Upgrade     Upgrade   `json:"upgrade"`
	History     []Outcome `json:"history"` // of the last upgrades, oldest first
	Failures    Streak    `json:"failures"`
	Vacancies   []Vacancy `json:"vacancies"`
	Shortage    Shortage  `json:"shortage"`
	TriedAt     Time      `json:"tried_at"` // last try since spawning was given up
	LastFailure Failure   `json:"last_failure"`
	Stop        Stop      `json:"stop"`
}

// UpgradePhase is where the newest upgrade is.
type UpgradePhase int

// The phases of an upgrade.
const (
	Idle UpgradePhase = iota // there was none
	Running
	Done
	Aborted
	Superseded // only of an older one, told to whoever waits for it
)

var upgradePhaseNames = [...]string{"idle", "running", "done", "aborted", "superseded"}

func (p UpgradePhase) String() string {
	if p < 0 || int(p) >= len(upgradePhaseNames) {
		return fmt.Sprintf("upgrade phase %d", int(p))
	}
	return upgradePhaseNames[p]
}

// Upgrade is the newest upgrade.
type Upgrade struct {
	Phase       UpgradePhase `json:"phase"`
	Generation  int          `json:"generation"`
	Fleet       bool         `json:"fleet"`
	Looking     bool         `json:"looking"`   // what its workers start from is still looked at
	From        string       `json:"from"`      // what its workers start from, for people; "" before the look
	Left        int          `json:"left"`      // places of old workers that ended during the look
	FirstAck    bool         `json:"first_ack"` // the new generation has had an ACK
	Failures    Streak       `json:"failures"`
	Vacancies   []Vacancy    `json:"vacancies"`
	Again       bool         `json:"again"` // HUP came meanwhile
	AgainFleet  bool         `json:"again_fleet"`
	Failure     string       `json:"failure"`      // the last failed start of the new generation
	FailedPID   int          `json:"failed_pid"`   // whose it was; 0: it never was a process
	Reason      string       `json:"reason"`       // why it was aborted
	SpawnFailed bool         `json:"spawn_failed"` // its program could not be started at all
	LookFailed  bool         `json:"look_failed"`  // there was nothing to start its workers from
}

// Outcome is how an upgrade ended.
type Outcome struct {
	Generation  int          `json:"generation"`
	From        string       `json:"from"` // as in Upgrade
	Phase       UpgradePhase `json:"phase"`
	Reason      string       `json:"reason"`
	SpawnFailed bool         `json:"spawn_failed"`
	LookFailed  bool         `json:"look_failed"`
	FailedPID   int          `json:"failed_pid"` // of the worker that the reason of an abort is about; 0: none
}

// Streak counts failed starts in a row. A cause that many workers share counts
// once a round: a failure counts only when its worker was ordered after the
// last counted one was seen. Serials tell before from after, because a death
// and its replacement may have the same time.
//
// An ACK sets the count to 0, but what it has forgiven comes back when its
// worker dies on trial: a program that ACKs and dies must not be tried for ever.
type Streak struct {
	Count      int    `json:"count"`
	Counted    uint64 `json:"counted"`     // first serial after the last counted failure
	Last       uint64 `json:"last"`        // first serial after the last failure of any kind
	Forgiven   int    `json:"forgiven"`    // what ACKs have set to 0 that were on trial
	Forgiver   uint64 `json:"forgiver"`    // the last worker whose ACK did
	ForgivenAt Time   `json:"forgiven_at"` // when
}

// failed takes note of a failed start; next is the serial of the next worker.
func (s *Streak) failed(w *Worker, next uint64) {
	if w.Phase == Ready && w.Serial == s.Forgiver {
		s.Count += s.Forgiven
		s.Forgiven, s.Forgiver = 0, 0
	}
	if w.Serial >= s.Counted {
		s.Count++
		s.Counted = next
	}
	s.Last = next
}

// acked takes note of an ACK, and tells whether it changed anything.
func (s *Streak) acked(w *Worker, trial Time) bool {
	if s.Count == 0 || w.Serial < s.Last {
		return false
	}
	if w.ReadyAt-s.ForgivenAt >= trial {
		s.Forgiven = 0 // whose ACK it was has outlived its trial
	}
	s.Forgiven += s.Count
	s.Count, s.Forgiver, s.ForgivenAt = 0, w.Serial, w.ReadyAt
	return true
}

// Vacancy is places that may not be filled before a time; 0 is any time.
type Vacancy struct {
	Places     int  `json:"places"`
	NotBefore  Time `json:"not_before"`
	Generation int  `json:"generation"` // of the workers that were there
}

// Shortage is a lack of the system's resources that keeps us from spawning.
type Shortage struct {
	Since Time   `json:"since"` // 0: none
	Until Time   `json:"until"` // the next try
	Delay Time   `json:"delay"`
	What  string `json:"what"`
}

// Failure is the last failed start, for people.
type Failure struct {
	Text string `json:"text"`
	At   Time   `json:"at"`
	PID  int    `json:"pid"` // of the worker; 0: it never was a process
}

// Stop is how far the way out has come.
type Stop struct {
	Level  Level  `json:"level"`  // 0: not stopping
	Signal Signal `json:"signal"` // what LevelRetire sends
	Ints   int    `json:"ints"`
	Terms  int    `json:"terms"`
	QuitAt Time   `json:"quit_at"` // not 0: end as soon as the signals are sent
	Reason string `json:"reason"`
}

// State returns a copy of the state, to look at.
func (p *Pool) State() State { return p.st }

// Settings returns the settings.
func (p *Pool) Settings() Settings { return p.set }

// Workers returns copies of all workers in the order of spawning.
func (p *Pool) Workers() []Worker {
	list := make([]Worker, 0, len(p.order))
	for _, w := range p.order {
		list = append(list, *w)
	}
	return list
}

// Worker returns a copy of one worker.
func (p *Pool) Worker(serial uint64) (w Worker, ok bool) {
	if p.workers[serial] == nil {
		return w, false
	}
	return *p.workers[serial], true
}

// Next is the serial of the next worker.
func (p *Pool) Next() uint64 { return p.next }

// Unanswered tells whether a spawn with a serial below this one has not been
// answered yet.
func (p *Pool) Unanswered(below uint64) bool {
	return p.counts.inFlight > 0 && slices.ContainsFunc(p.order, func(w *Worker) bool {
		return w.PID == 0 && w.Serial < below
	})
}

// ReadyOf counts the ready workers of a generation.
func (p *Pool) ReadyOf(generation int) int { return p.counts.of[generation].ready }
