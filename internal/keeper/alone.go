// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"syscall"
	"time"

	"einhyrningsins/internal/link"
)

// alone is a stop without a master.
type alone struct {
	killAt time.Duration // when KILL follows TERM; 0: it was sent
	endAt  time.Duration // when we end, whoever is left; 0: KILL comes first
}

// aloneAt is when the keeper stops everything by itself, unless a master does
// before what is owed; 0: no stop signal was ever caught, or nothing is owed.
func (k *keeper) aloneAt() (at time.Duration) {
	if k.stop.at == 0 {
		return 0
	}
	if since, _ := k.owed(); since != 0 {
		at = since + 2*patience // whoever is live: it may be the next that hangs
	}
	if k.master.liveAt == 0 || !k.master.exists() {
		if by := max(k.stop.at, k.master.diedAt, k.stop.thawedAt) + patience; at == 0 || by < at {
			at = by
		}
	}
	return at
}

func (k *keeper) stopAlone() {
	k.log.Error("no master carries out the stop: stopping alone")
	k.alone = &alone{killAt: k.sys.now() + k.cfg.KillTimeout}
	k.killMaster("the keeper stops alone")
	k.master.restartAt = 0
	k.stopSpawning()
	k.signalAll(syscall.SIGTERM, link.LevelTerm)
	k.aloneProgress()
}

// aloneDue goes on to KILL, and then to the end: what not even KILL has ended by
// then waits in the kernel, or is not ours to kill.
func (k *keeper) aloneDue(due func(time.Duration) bool) {
	switch {
	case due(k.alone.killAt):
		k.alone.killAt, k.alone.endAt = 0, k.sys.now()+patience
		k.signalAll(syscall.SIGKILL, link.LevelKill)
		k.killSteps()
	case due(k.alone.endAt):
		for pid := range k.table.byPID {
			k.log.Error("a worker was killed and has not ended; it is left behind", "pid", pid)
		}
		k.endAlone()
	}
}

// aloneProgress ends a stop without a master when no worker is left.
func (k *keeper) aloneProgress() {
	if k.alone == nil || k.ending != nil || len(k.table.byPID)+k.stepping() > 0 || k.spawner.busy() {
		return
	}
	k.endAlone()
}

func (k *keeper) endAlone() {
	k.killMaster("the keeper stops alone")
	k.ending = &ending{code: 1, reason: "stopped without a master", by: k.sys.now() + patience}
}
