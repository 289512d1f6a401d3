// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"math"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"einhyrningsins/internal/link"
)

// TestAnyMasterLeavesTheKeeperBoundedAndStoppable lets masters say anything.
func TestAnyMasterLeavesTheKeeperBoundedAndStoppable(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		k := newTestKeeper(t)
		k.live()
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			if k.master.pid == 0 || k.theirs == nil {
				k.master.restartAt = 0
				k.live()
			}
			k.world(r)
			if k.master.bad {
				k.masterDies()
				continue
			}
			if k.ending == nil {
				k.send(anything(r, k))
				k.told()
			}
			k.wantBounded(r)
			if k.ending != nil {
				for _, c := range k.table.byPID {
					if k.stop.quitAt == 0 && !c.unkillable() {
						r.Fatalf("it ends and leaves worker %d", c.PID)
					}
				}
				return
			}
		}
		k.wantStop(r)
	})
}

// source lets something happen beside the master.
func (k *testKeeper) world(r *rapid.T) {
	switch rapid.IntRange(0, 5).Draw(r, "world") {
	case 0:
		if jobs, j := k.spawner.next(); jobs != nil && j.serial != 0 {
			k.answerJob(rapid.SampledFrom([]error{nil, syscall.EAGAIN}).Draw(r, "start"))
		}
	case 1:
		for pid := range k.table.byPID {
			k.sys.end(pid, 1)
			k.reap()
			break
		}
	case 2:
		k.caughtSignal(rapid.SampledFrom([]syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1}).Draw(r, "caught"))
	case 3:
		k.sys.refuse = rapid.SampledFrom([]error{nil, syscall.EPERM}).Draw(r, "kill")
	}
}

// anything is any message, as often as not one that might be.
func anything(r *rapid.T, k *testKeeper) link.Message {
	number := func(name string) int {
		return rapid.OneOf(rapid.IntRange(-1, 4), rapid.SampledFrom([]int{9, 15, 64, 65, 1 << 30, math.MaxInt, math.MinInt})).Draw(r, name)
	}
	serial := func() uint64 {
		return rapid.OneOf(rapid.Uint64Range(0, k.table.next+1), rapid.Just(k.table.next), rapid.Just(uint64(math.MaxUint64))).Draw(r, "serial")
	}
	data := func() []byte {
		return text(rapid.SampledFrom([]int{2, 2, 2, 100, 100, maxKeptWorker, maxKeptWorker + 1, maxKept + 1}).Draw(r, "bytes"))
	}
	switch rapid.IntRange(0, 13).Draw(r, "kind") {
	case 0:
		return &link.Greet{Pongs: rapid.Bool().Draw(r, "pongs")}
	case 1:
		return &link.Live{}
	case 2, 3:
		return &link.Spawn{Serial: serial(), Generation: number("generation"), Index: number("index")}
	case 4, 5:
		return &link.Signal{Number: k.master.done + uint64(rapid.IntRange(0, 1).Draw(r, "ahead")), Serial: serial(), Signal: number("signal"), Group: rapid.Bool().Draw(r, "group"), Level: link.Level(number("level"))}
	case 6:
		return &link.Forget{Serial: serial(), Signal: number("signal"), Count: number("count")}
	case 7:
		return &link.Save{Serial: serial(), ReadyAt: time.Duration(number("ready")), Data: data(), Signals: map[int]int{number("signal"): number("count")}}
	case 8:
		return &link.Save{Data: data(), Generations: []int{number("generation")}, Last: rapid.Bool().Draw(r, "last")}
	case 9:
		return &link.Settings{Data: data(), LogLevel: number("level")}
	case 10:
		return &link.Exit{Code: number("code")}
	case 11:
		return &link.Quiesced{}
	case 12:
		return &link.Pong{}
	}
	return &link.Probe{Serial: serial()}
}

func (k *testKeeper) wantBounded(r *rapid.T) {
	for _, c := range k.table.bySerial {
		if c.Index < 0 || c.Index > maxRows || c.Generation != 1 || c.Level < 0 || c.Level > link.LevelKill {
			r.Fatalf("in the table is %+v", c)
		}
	}
	for sig, c := range k.caught {
		if c.count < 0 || c.count > 3 {
			r.Fatalf("%v was caught %d times", sig, c.count)
		}
	}
	if len(k.saved) > maxKept || len(k.settings) > maxKept || k.table.kept > maxKeptWorkers || len(k.spawner.queue) > maxOrdered+1 {
		r.Fatalf("%d, %d and %d bytes are kept, %d jobs wait", len(k.saved), len(k.settings), k.table.kept, len(k.spawner.queue))
	}
}

// wantStop sees that TERM ends the keeper though no master does anything more.
func (k *testKeeper) wantStop(r *rapid.T) {
	k.caughtSignal(syscall.SIGTERM)
	for range 100 {
		k.sys.refuse = nil
		if _, _, over := k.over(); over {
			return
		}
		if k.master.conn != nil && k.master.killed {
			k.masterDies()
			continue
		}
		at, ok := k.nextDeadline()
		if !ok {
			break
		}
		k.sys.clock = max(k.sys.clock, at)
		if k.master.restartAt != 0 && k.master.restartAt <= k.sys.clock {
			k.master.restartAt = 0 // no other can be had
		}
		k.deadlines()
	}
	r.Fatalf("it does not stop: %s", k.master.lastWord)
}
