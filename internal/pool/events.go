// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import "fmt"

// Event is one thing that happened: one of the types below.
type Event interface{ apply(p *Pool) }

// Begun is the first event of a pool, new or restored.
type Begun struct{}

// Spawned answers a Spawn: the worker runs since At.
type Spawned struct {
	Serial uint64
	PID    int
	At     Time
}

// SpawnFailed answers a Spawn that could not be carried out. How says why, for
// people. A shortage of the system's resources is nobody's fault and may pass.
type SpawnFailed struct {
	Serial   uint64
	Shortage bool
	How      string
}

// Exited says that a worker ended, and How, for people. Crash is set when a
// signal that nobody sends on purpose ended it.
type Exited struct {
	Serial uint64
	At     Time
	How    string
	Crash  bool
}

// Acked says that a worker says it is ready.
type Acked struct{ Serial uint64 }

// Tick says that the deadline has come.
type Tick struct{}

// SetNumber changes how many workers are wanted; at least 1.
type SetNumber struct{ Number int }

// SetSettings changes the settings. What they say of the time that a worker
// has counts from when that time began, so it may be over at once.
type SetSettings struct{ Settings Settings }

// StartUpgrade asks for a new generation. During an upgrade it starts over,
// but one that comes by HUP only sets a mark for when the upgrade ends.
type StartUpgrade struct {
	Fleet bool
	ByHUP bool
}

// StopFor asks to end, in the way that this signal to the keeper means.
type StopFor struct{ Signal StopSignal }

// StopSignal is one of the signals that end everything.
type StopSignal int

// The signals that end everything.
const (
	StopINT StopSignal = iota
	StopUSR2
	StopTERM
	StopQUIT
)

func (s StopSignal) String() string {
	return [...]string{"SIGINT", "SIGUSR2", "SIGTERM", "SIGQUIT"}[s]
}

// Die asks to send this signal to all workers, to spawn no more, and to end
// when all are gone. 0 is the graceful signal.
type Die struct{ Signal Signal }

// Step lets events happen at a time, decides, and returns what is to be done.
// The result is valid until the next step. Time never goes back.
func (p *Pool) Step(now Time, events ...Event) *Output {
	p.begin(now)
	for _, e := range events {
		e.apply(p)
	}
	return p.finish()
}

func (Begun) apply(p *Pool) {
	if u := &p.st.Upgrade; u.Phase == Running && u.Looking {
		p.do(Look{u.Generation}) // nobody knows whether the last master could
	}
	for _, w := range p.order {
		p.alive[w.Serial] = p.now // what it said may have died with the last master
		if w.Uncertain && w.DoubtedAt == 0 {
			p.change(w, func() { w.DoubtedAt = p.now })
		}
		switch {
		case w.serving() || w.PID == 0:
		case w.SignalAt == 0:
			p.send(w) // the last master died before it could
		case w.SignalAt < p.st.Stop.QuitAt:
			p.do(Send{Serial: w.Serial, Signal: SigQuit}) // nobody knows whether it could
		}
	}
}

func (e Spawned) apply(p *Pool) {
	w := p.workers[e.Serial]
	if w == nil || w.PID != 0 {
		return
	}
	p.change(w, func() { w.PID, w.StartedAt = e.PID, e.At })
	if p.st.Shortage.Since != 0 {
		p.st.Shortage = Shortage{}
		p.touchState()
	}
	p.noteOf(NoteSpawned, w)
	if !w.serving() {
		p.send(w) // stopped, aborted or superseded meanwhile
	}
}

func (e SpawnFailed) apply(p *Pool) {
	w := p.workers[e.Serial]
	switch {
	case w == nil:
		p.do(Forget{e.Serial})
		return
	case w.PID != 0:
		return // it runs: this cannot be about it
	}
	p.remove(w)
	switch {
	case !w.serving():
	case e.Shortage:
		p.short(e.How)
	default:
		w.StartedAt = p.now // it lived for no time at all
		p.failed(w, p.now, e.How)
	}
}

func (e Exited) apply(p *Pool) {
	w := p.workers[e.Serial]
	if w == nil {
		p.do(Forget{e.Serial})
		return
	}
	p.remove(w)
	if u := &p.st.Upgrade; u.Looking && w.serving() && !w.overdue() && !w.silent() {
		u.Left++
		p.touchState()
	}
	switch {
	case !w.serving():
		p.note(Note{Kind: NoteEnded, Worker: *w, Text: e.How, Warn: e.Crash})
	case w.overdue(): // its place was given to another one
		p.note(Note{Kind: NoteDied, Worker: *w, Text: w.lastSaid(e.How), Warn: true})
	case w.Phase == Ready && e.At-w.ReadyAt >= p.set.trial(), w.Phase == Starting && w.Uncertain:
		p.note(Note{Kind: NoteDied, Worker: *w, Text: w.lastSaid(e.How), Warn: true})
		p.vacate(w, e.At, false)
	case w.Phase == Ready:
		p.failed(w, e.At, e.How+" right after it was ready")
	default:
		p.failed(w, e.At, e.How+" before it was ready")
	}
}

func (e Acked) apply(p *Pool) {
	w := p.workers[e.Serial]
	switch {
	case w == nil || w.Phase > Draining || w.Phase == Ready || w.PID == 0:
	case !p.set.AckManual:
		p.noteOf(NoteAckIgnored, w)
	case w.Phase == Draining:
		p.remind(w)
	default:
		p.ready(w)
	}
}

// remind sends the graceful signal again to a worker that ACKs for the first
// time though it was asked to end: it may not have heard. The runtime of Go,
// for one, swallows USR2 until the program asks for it.
func (p *Pool) remind(w *Worker) {
	if w.ReadyAt != 0 || w.SignalAt == 0 || w.Leaving {
		return
	}
	p.change(w, func() { w.ReadyAt = p.now })
	p.do(Send{Serial: w.Serial, Signal: p.gracefulSignal()})
	p.noteOf(NoteReminded, w)
}

func (e SetNumber) apply(p *Pool) {
	if p.st.Stop.Level == 0 && e.Number >= 1 && e.Number != p.st.Number {
		p.note(Note{Kind: NoteNumber, Text: fmt.Sprintf("%d instead of %d workers are wanted", e.Number, p.st.Number)})
		p.grown = e.Number > p.st.Number
		p.st.Number = e.Number
		p.touchState()
	}
}

func (e SetSettings) apply(p *Pool) {
	p.set = e.Settings
	p.armAll()
}

func (e StartUpgrade) apply(p *Pool) {
	if p.st.Stop.Level > 0 {
		return
	}
	u := &p.st.Upgrade
	if e.ByHUP && u.Phase == Running {
		u.Again, u.AgainFleet = true, e.Fleet
		p.touchState()
		p.note(Note{Kind: NoteAgain, Text: "another upgrade follows when this one ends"})
		return
	}
	p.startUpgrade(e.Fleet)
}

func (e StopFor) apply(p *Pool) {
	s := &p.st.Stop
	level := LevelRetire
	switch e.Signal {
	case StopINT:
		s.Ints++
		level = min(Level(s.Ints), LevelKill)
	case StopTERM:
		s.Terms++
		level = min(LevelRetire+Level(s.Terms), LevelKill)
	case StopQUIT:
		if s.QuitAt == 0 {
			s.QuitAt, s.Signal = p.now, SigQuit
			p.signalLeaving(func(*Worker) bool { return true }, SigQuit)
		}
	}
	p.stop(level, e.Signal.String())
}

func (e Die) apply(p *Pool) {
	level := LevelRetire
	switch e.Signal {
	case SigTerm:
		level = LevelTerm
	case SigKill:
		level = LevelKill
	}
	if p.st.Stop.Level == 0 {
		p.st.Stop.Signal = e.Signal
		if level == LevelRetire && e.Signal != 0 && e.Signal != p.set.GracefulSignal {
			p.signalLeaving(func(w *Worker) bool { return w.Phase == Draining }, e.Signal)
		}
	}
	p.stop(level, "the command die")
}

// ready makes a worker ready.
func (p *Pool) ready(w *Worker) {
	p.change(w, func() { w.Phase, w.ReadyAt, w.OverdueAt, w.ExtendedUntil = Ready, p.now, 0, 0 })
	if p.streak(w).acked(w, p.set.trial()) {
		p.touchState()
	}
	if p.isNew(w) && !p.st.Upgrade.FirstAck {
		p.st.Upgrade.FirstAck = true
		p.touchState()
	}
	p.noteOf(NoteReady, w)
	if p.counts.overdue > 0 {
		p.retireSome(1, oldest, func(o *Worker) bool {
			return o.overdue() && o.Generation == w.Generation && o.OverdueAt <= w.OrderedAt
		})
	}
}

// isNew tells whether a worker belongs to the upgrade that is running.
func (p *Pool) isNew(w *Worker) bool {
	return p.st.Upgrade.Phase == Running && w.Generation == p.st.Upgrade.Generation
}

// streak is the count that a worker's start belongs to.
func (p *Pool) streak(w *Worker) *Streak {
	if p.isNew(w) {
		return &p.st.Upgrade.Failures
	}
	return &p.st.Failures
}

// failed takes note of a failed start. The worker may still have to end.
func (p *Pool) failed(w *Worker, at Time, how string) {
	was := p.givenUp()
	p.streak(w).failed(w, p.next)
	p.st.LastFailure = Failure{Text: describeFailure(w, how), At: p.now, PID: w.PID}
	if p.isNew(w) {
		u := &p.st.Upgrade
		u.Failure, u.FailedPID, u.SpawnFailed = p.st.LastFailure.Text, w.PID, w.PID == 0
	}
	p.note(Note{Kind: NoteFailed, Worker: *w, Text: p.st.LastFailure.Text, Warn: true})
	p.vacate(w, at, true)
	if p.givenUp() {
		if !was {
			p.note(Note{Kind: NoteGivenUp, Text: fmt.Sprintf("%s; giving up, but for one try every %v while a worker is ready", failedStarts(p.st.Failures.Count), giveUpPause), Error: true})
		}
		p.st.TriedAt = p.now
	}
	p.touchState()
}

func describeFailure(w *Worker, how string) string {
	if w.PID == 0 {
		return how // it was no process yet
	}
	return fmt.Sprintf("worker %d (index %d, generation %d) %s", w.PID, w.Index, w.Generation, w.lastSaid(how))
}

func failedStarts(k int) string {
	if k == 1 {
		return "a start failed"
	}
	return fmt.Sprintf("%d starts in a row failed", k)
}

// short takes note that the system lacks something that spawning needs.
func (p *Pool) short(what string) {
	s := &p.st.Shortage
	switch {
	case s.Since == 0:
		*s = Shortage{Since: p.now, Delay: firstShortage}
	case p.now >= s.Until:
		s.Delay = min(s.Delay*3/2, maxShortage)
	default:
		return // of the same round
	}
	s.What, s.Until = what, p.now+s.Delay
	p.touchState()
	p.note(Note{Kind: NoteShortage, Text: what, Warn: true})
}
