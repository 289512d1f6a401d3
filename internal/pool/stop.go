// SPDX-License-Identifier: GPL-3.0-or-later

package pool

// stop begins the way out, or goes on to a stronger level.
func (p *Pool) stop(level Level, why string) {
	s := &p.st.Stop
	p.touchState()
	if level <= s.Level {
		return
	}
	if s.Level == 0 {
		s.Reason = "stopped by " + why
		if u := &p.st.Upgrade; u.Phase == Running {
			u.Phase, u.Reason, u.Looking = Aborted, "the master is stopping", false
			p.record(Aborted, u.Reason)
			p.note(Note{Kind: NoteAborted, Generation: u.Generation, Text: u.Reason})
		}
	}
	s.Level = level
	p.armAll() // those that cannot be signalled are waited for no longer
	p.note(Note{Kind: NoteStop, Text: [...]string{
		LevelRetire: "asking all workers to end",
		LevelTerm:   "sending TERM to all workers",
		LevelKill:   "killing all workers",
	}[level] + ", for " + why})
}

// settleStop gets every worker to where the stop has come, and ends when none
// is left, or after QUIT when no spawn is under way.
func (p *Pool) settleStop() {
	s := &p.st.Stop
	phase := [...]Phase{LevelRetire: Draining, LevelTerm: Stopping, LevelKill: Killed}[s.Level]
	for _, w := range p.order {
		p.advance(w, phase)
	}
	left, all := p.leftBehind()
	switch {
	case left != "" && all:
		p.out.End = &End{Status: 1, Reason: s.Reason + left}
	case all, s.QuitAt != 0 && p.counts.inFlight == 0:
		p.out.End = &End{Reason: s.Reason}
	}
}

// signalLeaving sends one more signal to those of the workers asked to end
// that f accepts. It is for the signal that all workers are to get: the others
// get it as they are asked to end.
func (p *Pool) signalLeaving(f func(*Worker) bool, sig Signal) {
	for _, w := range p.order {
		if !w.serving() && w.PID != 0 && f(w) {
			p.do(Send{Serial: w.Serial, Signal: sig})
		}
	}
}
