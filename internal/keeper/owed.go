// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"syscall"
	"time"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
)

// What a master owes: what it has to deal with and has not yet. It is taken for
// hung when the oldest of it has waited for patience, and is replaced. During a
// stop nothing may wait longer than twice that, whoever is live: then the keeper
// stops everything itself. At rest nothing is owed, and no timer runs.

// stop is what stop signals have asked for so far.
type stop struct {
	at          time.Duration // when the last one was caught; 0: none ever
	level       link.Level    // what every worker is to be sent at least
	levelAt     time.Duration // since when
	quitAt      time.Duration // when everything was to end at once; 0: it was not
	ints, terms int

	pingAt   time.Duration // when the master is asked next for a sign of life
	pause    time.Duration // until the one after that
	pingedAt time.Duration // since when an answer is missing; 0: none is
	frozen   int           // how often we were found to have been frozen, since a master last dealt with something
	thawedAt time.Duration // when that was last
}

// caught takes note of a stop signal. What each asks for is in docs/protocol.md.
func (s *stop) caught(sig syscall.Signal, now time.Duration) {
	level := link.LevelRetire
	switch sig {
	case syscall.SIGINT:
		s.ints++
		level = min(link.Level(s.ints), link.LevelKill)
	case syscall.SIGTERM:
		s.terms++
		level = min(link.LevelRetire+link.Level(s.terms), link.LevelKill)
	case syscall.SIGQUIT:
		if s.quitAt == 0 {
			s.quitAt = now
		}
	}
	if level > s.level {
		s.level, s.levelAt = level, now
	}
	s.at, s.pause = now, patience
	s.pingAt = now + s.pause
}

// owed is the oldest thing that the master has not dealt with, and since when it
// waits; 0: there is nothing.
func (k *keeper) owed() (since time.Duration, what string) {
	owes := func(at time.Duration, text string) {
		if since == 0 || at < since {
			since, what = at, text
		}
	}
	for sig, c := range k.caught {
		if platform.IsStop(sig) && c.count > 0 {
			owes(c.since, "a stop signal")
		}
	}
	if len(k.table.ends) > 0 {
		owes(k.table.ends[0].endedAt(), "an exit")
	}
	if k.stop.pingedAt != 0 {
		owes(k.stop.pingedAt, "a question for a sign of life")
	}
	if k.stop.quitAt != 0 {
		owes(k.stop.quitAt, "SIGQUIT")
	}
	if k.stop.level == link.LevelRetire && !k.enough { // a worker may have left by itself, and is sent nothing
		owes(k.stop.levelAt, "a stop signal")
	}
	if k.stop.level > link.LevelRetire {
		for _, c := range k.table.byPID {
			if c.Level < k.stop.level {
				owes(max(k.stop.levelAt, c.StartedAt), "a worker that is to be stopped")
			}
		}
	}
	if k.stop.at != 0 && len(k.table.byPID)+k.table.unanswered() == 0 {
		owes(max(k.stop.at, k.table.goneAt), "the end")
	}
	if since != 0 {
		since = max(since, k.stop.thawedAt)
	}
	return since, what
}

// hungAt is when the master must be taken for hung, unless something moves; 0:
// nothing waits for it.
func (k *keeper) hungAt() time.Duration {
	m := &k.master
	if m.pid == 0 || m.killed || m.quiesced {
		return 0
	}
	if m.conn == nil {
		return m.closedAt + time.Second
	}
	if k.stop.at == 0 && m.conn.Refused() != nil {
		return 0 // it cannot have heard
	}
	if m.liveAt == 0 {
		return m.startedAt + patience
	}
	since, _ := k.owed()
	if since == 0 {
		return 0
	}
	return max(since, m.waitedAt) + patience
}

func (k *keeper) hungHow() string {
	switch m := &k.master; {
	case m.conn == nil:
		return "it closed its link"
	case m.liveAt == 0:
		return "it did not go live in time"
	}
	_, what := k.owed()
	return "it did not deal with " + what + " in time"
}

// thawed tells whether a deadline of the master's has come so late that we must
// have been frozen, and the master probably with us: it gets its time once more.
// On a machine that is always late this must end.
func (k *keeper) thawed() bool {
	const late, most = time.Second, 3
	if k.master.conn == nil || k.master.liveAt == 0 {
		return false
	}
	at := k.hungAt()
	if alone := k.aloneAt(); alone != 0 && (at == 0 || alone < at) {
		at = alone
	}
	now := k.sys.now()
	if at == 0 || now < at+late || k.stop.frozen == most {
		return false
	}
	k.stop.frozen++
	k.stop.thawedAt, k.master.waitedAt = now, now
	return true
}

// pingAt is when a master that is to stop everything is asked for a sign of life:
// one that hangs when the signals have been sent owes nothing, and workers that do
// not end by themselves would never be killed. 0: nobody waits for a deadline of
// its, or it has not answered yet.
func (k *keeper) pingAt() time.Duration {
	bounded := k.stop.level > link.LevelRetire || k.cfg.DrainTimeout > 0 || k.cfg.SignalTimeout > 0
	if k.stop.at == 0 || !bounded || !k.master.pongs || k.master.conn == nil || k.master.liveAt == 0 || k.stop.pingedAt != 0 {
		return 0
	}
	return k.stop.pingAt
}

func (k *keeper) ping() {
	k.stop.pingedAt = k.sys.now()
	k.master.conn.Send(&link.Ping{})
}

// pong takes the answer. The pause doubles, so that a drain of hours is left in
// peace.
func (k *keeper) pong() {
	s := &k.stop
	if s.pingedAt == 0 {
		k.refuse("it gave a sign of life that nobody asked for")
		return
	}
	s.pingedAt, s.pause = 0, 2*s.pause
	s.pingAt = k.sys.now() + s.pause
}
