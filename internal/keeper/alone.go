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
}

// aloneAt is when the keeper stops everything by itself, unless a master goes
// live before; 0: no stop signal was ever caught, or a master lives.
func (k *keeper) aloneAt() time.Duration {
	if k.stopAt == 0 || k.master.liveAt > 0 && k.master.exists() {
		return 0
	}
	return max(k.stopAt, k.master.diedAt) + patience
}

func (k *keeper) stopAlone() {
	k.log.Error("no master goes live to carry out the stop: stopping alone")
	k.alone = &alone{killAt: k.sys.now() + k.cfg.KillTimeout}
	k.killMaster("the keeper stops alone")
	k.master.restartAt = 0
	k.stopSpawning()
	k.signalAll(syscall.SIGTERM, link.LevelTerm)
	k.aloneProgress()
}

// aloneProgress ends a stop without a master when no worker is left.
func (k *keeper) aloneProgress() {
	if k.alone == nil || k.ending != nil || len(k.table.byPID)+len(k.table.steps) > 0 || k.spawner.busy() {
		return
	}
	k.killMaster("the keeper stops alone")
	k.ending = &ending{code: 1, reason: "stopped without a master", by: k.sys.now() + patience}
}
