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
		p.retireStarting(u.Generation)
	}
	p.st.Generation++
	p.st.Upgrade = Upgrade{Phase: Running, Generation: p.st.Generation, Fleet: fleet, Looking: true}
	if s := &p.st.Shortage; s.Since != 0 {
		s.Since = p.now // what came before is not held against this upgrade
	}
	p.waiting = 0
	p.touchState()
	p.do(Renew{})
	p.do(Look{p.st.Generation})
	p.note(Note{Kind: NoteUpgrade, Generation: p.st.Generation, Text: fmt.Sprintf("upgrading to generation %d", p.st.Generation)})
}

// retireStarting retires the workers of a generation that will not be needed
// before they are ready. An overdue one may be serving, so it stays.
func (p *Pool) retireStarting(generation int) {
	p.retireSome(p.census(generation).starting, oldest, func(w *Worker) bool {
		return w.starts() && w.Generation == generation
	})
}

// settleUpgrade takes the upgrade as far as it goes now, and tells whether that
// was its end.
func (p *Pool) settleUpgrade() (ended bool) {
	u, n := &p.st.Upgrade, p.st.Number
	if reason := p.whyAbort(); reason != "" {
		p.abort(reason)
		return true
	}
	isOld := func(w *Worker) bool { return w.Generation != u.Generation }
	p.trim(u.Generation)
	c := p.census(u.Generation)
	if c.ready >= n {
		p.retireSome(len(p.order), oldest, isOld)
		p.finishUpgrade()
		return true
	}
	spare := c.otherReady + c.ready - n
	if u.Fleet {
		spare = c.otherReady - n // nothing of the old goes before all of the new is there
	}
	p.retireSome(min(spare, c.otherReady), oldest, func(w *Worker) bool { return w.isReady() && isOld(w) })
	p.retireSome(min(c.otherReady+c.otherStarting+c.ready-n, c.otherStarting), youngest, func(w *Worker) bool {
		return w.starts() && isOld(w)
	})
	p.replaceOld()
	if !u.Looking {
		p.spawnNew()
	}
	return false
}

// replaceOld fills the place of an old worker that died with its own
// generation, until the new one has shown that it can start. One that died during
// the look is replaced by the new generation, which comes next; an old worker
// would only have to be retired again. It comes back should the new one fail, or
// draining workers leave it no room to start in.
func (p *Pool) replaceOld() {
	u := &p.st.Upgrade
	c := p.census(u.Generation)
	missing := p.st.Number - c.otherReady - c.otherStarting - c.ready
	if left := max(min(u.Left, missing), 0); left != u.Left {
		u.Left = left
		p.touchState()
	}
	if room, limited := p.room(c); u.Failures.Count == 0 && (c.starting > 0 || !limited || room > missing-u.Left) {
		missing -= u.Left
	}
	if u.FirstAck {
		missing = 0
	}
	p.fill(missing)
}

// spawnNew starts workers of the new generation: all in a fleet upgrade, as
// many as may be unACKed in a smooth one.
func (p *Pool) spawnNew() {
	u := &p.st.Upgrade
	c := p.census(u.Generation)
	missing, limit := p.st.Number-c.ready-c.starting, unlimited
	if !u.Fleet {
		limit = p.set.MaxUnacked - c.starting
		if room, limited := p.room(c); limited {
			p.noteWaiting(min(missing, limit), room, c.draining)
			limit = min(limit, room)
		}
	}
	p.fillPlaces(&u.Vacancies, u.Failures.Count > 0, missing, limit, u.Generation)
}

// room is how many workers a smooth upgrade may start beside all that exist.
func (p *Pool) room(c census) (room int, limited bool) {
	extra := p.set.MaxUpgradeAdditional
	return p.st.Number + extra - c.processes(), extra > 0 && !p.st.Upgrade.Fleet
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

// finishUpgrade makes the new generation the good one. The count of its failed
// starts begins anew, but an ACK that has forgiven some is still on trial.
func (p *Pool) finishUpgrade() {
	u := &p.st.Upgrade
	u.Phase = Done
	p.record(Done, "")
	p.st.Good = u.Generation
	p.st.LastFailure = Failure{} // it was of what is there no more, or has been overcome
	p.st.Failures = u.Failures
	p.st.Failures.Count = 0
	p.st.Vacancies, u.Vacancies = nil, nil
	p.touchState()
	p.note(Note{Kind: NoteDone, Generation: u.Generation, Text: fmt.Sprintf("generation %d serves%s", u.Generation, from(u.From, ""))})
	p.again()
}

// whyAbort is "" while the upgrade may go on.
func (p *Pool) whyAbort() string {
	u := &p.st.Upgrade
	if u.Failures.Count >= p.set.UpgradeRetries {
		tries := "once"
		if u.Failures.Count > 1 {
			tries = fmt.Sprintf("%d times", u.Failures.Count)
		}
		return fmt.Sprintf("%s; tried %s", u.Failure, tries)
	}
	if s := p.st.Shortage; s.Since != 0 && p.now >= s.Since+p.set.shortageLimit() {
		return fmt.Sprintf("%s, for %v", s.What, p.now-s.Since)
	}
	return ""
}

// abort gives the upgrade up. What is not ready of the new generation is
// retired; what is ready serves until the good generation has replaced it.
func (p *Pool) abort(reason string) {
	u := &p.st.Upgrade
	u.Phase, u.Reason, u.Looking = Aborted, reason, false
	p.record(Aborted, reason)
	u.Vacancies = nil
	p.touchState()
	p.retireStarting(u.Generation)
	p.note(Note{Kind: NoteAborted, Generation: u.Generation, Text: fmt.Sprintf("the upgrade to generation %d%s was given up: %s", u.Generation, from(u.From, ","), reason), Error: true})
	p.again()
}

// from names what workers start from, behind a comma and before another sign.
func from(what, sign string) string {
	if what == "" {
		return ""
	}
	return ", from " + what + sign
}

// again starts the upgrade that a HUP asked for while another one ran.
func (p *Pool) again() {
	if u := p.st.Upgrade; u.Again {
		p.startUpgrade(u.AgainFleet)
	}
}

// record remembers how an upgrade ended, for clients that ask later.
func (p *Pool) record(phase UpgradePhase, reason string) {
	u := &p.st.Upgrade
	o := Outcome{Generation: u.Generation, From: u.From, Phase: phase, Reason: reason, SpawnFailed: u.SpawnFailed, LookFailed: u.LookFailed}
	if phase == Aborted {
		o.FailedPID = u.FailedPID
	}
	p.st.History = append(slices.Clone(p.st.History), o)
	if extra := len(p.st.History) - maxHistory; extra > 0 {
		p.st.History = p.st.History[extra:]
	}
}
