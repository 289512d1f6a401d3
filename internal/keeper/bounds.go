// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"syscall"

	"einhyrningsins/internal/link"
)

// What a master may ask for, and have kept, at most. A master that keeps to the
// options never comes near: one that asks for more has gone bad, is heard no longer,
// and is replaced. What that cannot prevent is in SECURITY.md.
const (
	maxOrder       = 4 << 20  // bytes of one message
	maxKept        = 2 << 20  // bytes of what is saved of the pool, and of the settings: a hello must hold both
	maxKeptWorker  = 16 << 10 // bytes of what is saved of one worker
	maxKeptWorkers = 64 << 20 // bytes of what is saved of all
	maxHeard       = 64 << 20 // bytes of what an heir orders before it is live
	maxWords       = 1 << 10  // bytes of what it wants to have in the log
	maxOrdered     = 256      // workers ordered and not answered; the pool has 32
	maxWorkers     = 40_000   // processes: two generations of 10,000, the most that -n may be, and as many that drain
	maxRows        = 2 * maxWorkers
	maxLaunches    = 1024 // generations that workers live of, or may still be spawned of
	maxAhead       = 64   // generations that a look may be ahead of the last
	maxSignal      = 64   // signal(7)
)

// refuse takes the master for one gone bad. Of what it has said after this nothing
// counts, so it is logged once for each master.
func (k *keeper) refuse(format string, args ...any) {
	m := &k.master
	m.bad, m.lastWord = true, fmt.Sprintf(format, args...)
	k.log.Error("the master has gone bad; replacing it", "reason", m.lastWord)
	k.killMaster(m.lastWord)
}

// refused drops what a master that has gone bad still says.
func (m *master) refused() bool {
	if m.bad {
		m.dropped++
	}
	return m.bad
}

// judgeMaster counts the masters in a row that went bad, or that hung or crashed before
// they had worked for a while: what they were told may be the cause. One that somebody
// killed says nothing about that.
func (k *keeper) judgeMaster() {
	m := &k.master
	if m.dropped > 0 {
		k.log.Error("the master that had gone bad was heard no longer", "messages_dropped", m.dropped)
	}
	switch {
	case m.bad, m.liveAt > 0 && k.liveFor() < soon && (m.hung || m.crashed):
		m.badOnes++
	case m.liveAt > 0 && k.liveFor() >= soon:
		m.badOnes = 0
	}
}

// leftOut is how much of what was kept the next master is not told.
type leftOut int

const (
	nothingLeftOut  leftOut = iota
	stateLeftOut            // that of the pool must not be relied upon, those of workers are not told
	everythingIsOut         // nor are settings that were changed
)

// leaveOut says what the next master is not told, and why; for what was kept may be
// what kills masters, or turns them.
func (k *keeper) leaveOut() (out leftOut, why string) {
	m := &k.master
	tries := max(m.failures, m.badOnes)
	if tries < triesWithState {
		return nothingLeftOut, ""
	}
	why = fmt.Sprintf("%d masters in a row never went live", m.failures)
	if m.badOnes > m.failures {
		why = fmt.Sprintf("%d masters in a row failed, the last: %s", m.badOnes, m.lastWord)
	}
	if tries < 2*triesWithState {
		return stateLeftOut, why
	}
	return everythingIsOut, why + "; what was changed while running is as it was at the start again"
}

// unanswered counts the workers that were ordered and have neither begun nor failed.
func (t *table) unanswered() int { return len(t.bySerial) - len(t.byPID) - len(t.ends) }

// checkSpawn says what is wrong with an order; "": nothing.
func (k *keeper) checkSpawn(m *link.Spawn) string {
	t := &k.table
	switch {
	case m.Serial != t.next:
		return fmt.Sprintf("it asked for worker %d, but the next is %d", m.Serial, t.next)
	case k.looks.launches[m.Generation] == nil:
		return fmt.Sprintf("it asked for a worker of generation %d, which there is nothing to start from", m.Generation)
	case m.Index < 0 || m.Index > len(t.bySerial): // the lowest that no other worker has
		return fmt.Sprintf("it asked for a worker with index %d, but there are %d workers", m.Index, len(t.bySerial))
	case t.unanswered() >= maxOrdered:
		return fmt.Sprintf("it asked for a worker while %d were not answered", maxOrdered)
	case len(t.bySerial) >= maxRows:
		return fmt.Sprintf("it asked for a worker and has not forgotten %d that have ended", len(t.ends))
	}
	return ""
}

// checkSignal says what is wrong with an order. What a worker was sent is what the
// next master goes by, and what a stop waits for.
func checkSignal(m *link.Signal, before uint64) string {
	must := map[link.Level]syscall.Signal{link.LevelTerm: syscall.SIGTERM, link.LevelKill: syscall.SIGKILL}[m.Level]
	switch {
	case m.Number != before+1:
		return fmt.Sprintf("its signal %d came after %d", m.Number, before)
	case m.Signal < 1 || m.Signal > maxSignal:
		return fmt.Sprintf("there is no signal %d", m.Signal)
	case m.Level < link.LevelNone || m.Level > link.LevelKill:
		return fmt.Sprintf("there is no level %d of a signal", int(m.Level))
	case must != 0 && (syscall.Signal(m.Signal) != must || !m.Group):
		return fmt.Sprintf("signal %d is not what a worker is stopped by at level %d", m.Signal, int(m.Level))
	}
	return ""
}

// checkForget says what is wrong with forgetting signals that we caught: a stop
// must not be forgotten that the master has not heard of.
func (k *keeper) checkForget(signals map[int]int) string {
	for sig, count := range signals {
		if c := k.caught[syscall.Signal(sig)]; c == nil || count < 1 || count > c.told {
			return fmt.Sprintf("it wants signal %d forgotten %d times, of which it was not told", sig, count)
		}
	}
	return ""
}

// checkSave says what is wrong with what is to be kept.
func (k *keeper) checkSave(m *link.Save) string {
	most, before := maxKept, 0
	if m.Serial != 0 {
		most = maxKeptWorker
	}
	if c := k.table.bySerial[m.Serial]; c != nil {
		before = len(c.Saved)
	}
	switch {
	case len(m.Data) > most:
		return fmt.Sprintf("it wants %d bytes kept, at most %d are", len(m.Data), most)
	case m.Serial != 0 && k.table.kept-before+len(m.Data) > maxKeptWorkers:
		return fmt.Sprintf("it wants more than %d bytes kept of all workers", maxKeptWorkers)
	case m.ReadyAt < 0 || m.ReadyAt > k.sys.now():
		return fmt.Sprintf("a worker cannot have been ready at %v, it is %v", m.ReadyAt, k.sys.now())
	case len(m.Generations) > maxRows:
		return fmt.Sprintf("it wants %d generations kept, and at most %d workers can be", len(m.Generations), maxRows)
	}
	return k.checkForget(m.Signals)
}

// checkLook says what is wrong with a generation that is to be looked for.
func (k *keeper) checkLook(generation int) string {
	if newest := k.looks.newest; generation < 1 || generation > newest+maxAhead {
		return fmt.Sprintf("it asked for a look for generation %d, and the newest is %d", generation, newest)
	}
	return ""
}

// checkExit says what is wrong with the end: no worker may be left behind, unless
// that is what was asked for, by QUIT, or it cannot be killed.
func (k *keeper) checkExit(m *link.Exit) string {
	left := k.table.unanswered()
	for _, c := range k.table.byPID {
		if !c.unkillable() {
			left++
		}
	}
	switch {
	case m.Code < 0 || m.Code > 255:
		return fmt.Sprintf("there is no exit status %d", m.Code)
	case left > 0 && k.stop.quitAt == 0:
		return fmt.Sprintf("it wants to end and leave %d workers behind", left)
	}
	return ""
}

// checkProbe says what is wrong with asking for a probe.
func (k *keeper) checkProbe() string {
	if !k.cfg.Asks() {
		return "it asked for a probe, and there is none"
	}
	return ""
}

// short is text as much of it as belongs in the log.
func short(text string) string {
	if len(text) > maxWords {
		return text[:maxWords] + "…"
	}
	return text
}

// weight is about how many bytes of ours a message holds.
func weight(msg link.Message) int {
	const least = 128
	switch m := msg.(type) {
	case *link.Save:
		return least + len(m.Data) + 16*len(m.Signals) + 8*len(m.Generations)
	case *link.Settings:
		return least + len(m.Data)
	case *link.Exit:
		return least + len(m.Reason)
	case *link.Quiesced:
		return least + len(m.Failure)
	}
	return least
}
