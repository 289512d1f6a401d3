// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"slices"
)

// startUpgrade begins a new generation; one that is still under way is
// superseded: its starting workers are retired, its ready ones are old now.
func (p *Pool) startUpgrade(fleet bool) {
	if u := p.st.Upgrade; u.Phase == Running {
		p.record(Superseded, fmt.Sprintf("superseded by generation %d", p.st.Generation+1))
		p.note(Note{Kind: NoteSuperseded, Generation: u.Generation, Text: fmt.Sprintf("generation %d is superseded by %d", u.Generation, p.st.Generation+1)})
		p.retireSome(len(p.workers), oldest, func(w *Worker) bool {
			return w.Phase == Starting && w.Generation == u.Generation
		})
	}
	p.st.Generation++
	p.st.Upgrade = Upgrade{Phase: Running, Generation: p.st.Generation, Fleet: fleet}
	p.waiting = 0
	p.touchState()
	p.do(Renew{})
	p.note(Note{Kind: NoteUpgrade, Generation: p.st.Generation, Text: fmt.Sprintf("upgrading to generation %d", p.st.Generation)})
}

// settleUpgrade takes the upgrade as far as it goes now.
func (p *Pool) settleUpgrade() {
	u, n := &p.st.Upgrade, p.st.Number
	if reason := p.whyAbort(); reason != "" {
		p.abort(reason)
		return
	}
	isOld := func(w *Worker) bool { return w.Generation != u.Generation }
	isNew := func(w *Worker) bool { return w.Generation == u.Generation }
	p.trimNew(isNew)
	c := p.census(u.Generation)
	if c.ready >= n {
		p.retireSome(len(p.workers), oldest, func(w *Worker) bool { return w.serving() && isOld(w) })
		p.retireSome(len(p.workers), oldest, (*Worker).overdue)
		p.finishUpgrade()
		return
	}
	spare := c.otherReady + c.ready - n
	if u.Fleet {
		spare = c.otherReady - n // nothing of the old goes before all of the new is there
	}
	p.retireSome(min(spare, c.otherReady), oldest, func(w *Worker) bool { return w.Phase == Ready && isOld(w) })
	p.retireSome(min(c.otherReady+c.otherStarting+c.ready-n, c.otherStarting), youngest, func(w *Worker) bool {
		return w.starts() && isOld(w)
	})
	p.replaceOld()
	p.spawnNew()
}

// trimNew retires what is too much of the new generation since fewer workers
// are wanted.
func (p *Pool) trimNew(isNew func(*Worker) bool) {
	c := p.census(p.st.Upgrade.Generation)
	excess := c.ready + c.starting - p.st.Number
	p.retireSome(min(excess, c.starting), youngest, func(w *Worker) bool { return w.starts() && isNew(w) })
	p.retireSome(min(excess-c.starting, c.ready), youngest, func(w *Worker) bool { return w.Phase == Ready && isNew(w) })
}

// replaceOld fills the place of an old worker that died with its own
// generation, until the new one has shown that it can start.
func (p *Pool) replaceOld() {
	u := &p.st.Upgrade
	c := p.census(u.Generation)
	missing := p.st.Number - c.otherReady - c.otherStarting - c.ready
	if u.FirstAck {
		missing = 0
	}
	p.fill(missing, census{ready: c.otherReady + c.ready, starting: c.otherStarting})
}

// spawnNew starts workers of the new generation: all in a fleet upgrade, as
// many as may be unACKed in a smooth one.
func (p *Pool) spawnNew() {
	u := &p.st.Upgrade
	c := p.census(u.Generation)
	want := p.st.Number - c.ready - c.starting
	free, early := p.places(&u.Vacancies, want)
	count := want - early
	if p.shortNow() {
		return
	}
	if !u.Fleet {
		count = min(count, p.set.MaxUnacked-c.starting)
		if extra := p.set.MaxUpgradeAdditional; extra > 0 {
			room := p.st.Number + extra - c.processes
			p.noteWaiting(count, room, c.draining)
			count = min(count, room)
		}
	}
	count = min(count, maxInFlight-p.inFlight())
	for range count {
		p.spawn(u.Generation)
	}
	if count > 0 {
		p.taken(&u.Vacancies, min(count, len(free)))
	}
}

// noteWaiting tells, once for each number, that only draining workers are in
// the way.
func (p *Pool) noteWaiting(count, room, draining int) {
	waiting := 0
	if count > 0 && room <= 0 {
		waiting = draining
	}
	if waiting != p.waiting && waiting > 0 {
		p.note(Note{Kind: NoteWaiting, Generation: p.st.Upgrade.Generation, Text: fmt.Sprintf("waiting for %d draining workers", waiting)})
	}
	p.waiting = waiting
}

func (p *Pool) finishUpgrade() {
	u := &p.st.Upgrade
	u.Phase = Done
	p.record(Done, "")
	u.Vacancies = nil
	p.st.Good = u.Generation
	p.st.Vacancies = nil
	p.st.Failures = Streak{Counted: u.Failures.Counted, Last: u.Failures.Last, Forgiven: u.Failures.Forgiven + u.Failures.Count}
	p.touchState()
	p.note(Note{Kind: NoteDone, Generation: u.Generation, Text: fmt.Sprintf("generation %d serves", u.Generation)})
	p.again()
}

// whyAbort is "" while the upgrade may go on.
func (p *Pool) whyAbort() string {
	u := &p.st.Upgrade
	if u.Failures.Count >= p.set.UpgradeRetries {
		tries := "once"
		if p.set.UpgradeRetries > 1 {
			tries = fmt.Sprintf("%d times", u.Failures.Count)
		}
		return fmt.Sprintf("%s; tried %s", p.st.LastFailure.Text, tries)
	}
	if s := p.st.Shortage; s.Since != 0 && p.now >= s.Since+p.set.AckTimeout {
		return fmt.Sprintf("%s, for %v", s.What, p.now-s.Since)
	}
	return ""
}

// abort gives the upgrade up. What is not ready of the new generation is
// stopped; what is ready serves until the good generation has replaced it.
func (p *Pool) abort(reason string) {
	u := &p.st.Upgrade
	u.Phase, u.Reason = Aborted, reason
	p.record(Aborted, reason)
	u.Vacancies = nil
	p.touchState()
	for _, w := range p.pick(func(w *Worker) bool {
		return w.Phase == Starting && w.Generation == u.Generation
	}) {
		p.advance(w, Stopping)
	}
	p.note(Note{Kind: NoteAborted, Generation: u.Generation, Text: fmt.Sprintf("the upgrade to generation %d was given up: %s", u.Generation, reason), Error: true})
	p.again()
}

// again starts the upgrade that a HUP asked for while another one ran.
func (p *Pool) again() {
	if u := p.st.Upgrade; u.Again {
		p.startUpgrade(u.AgainFleet)
		p.settleUpgrade()
	}
}

// record remembers how an upgrade ended, for clients that ask later.
func (p *Pool) record(phase UpgradePhase, reason string) {
	u := &p.st.Upgrade
	p.st.History = append(slices.Clone(p.st.History), Outcome{u.Generation, phase, reason, u.SpawnFailed})
	if extra := len(p.st.History) - maxHistory; extra > 0 {
		p.st.History = p.st.History[extra:]
	}
}
