// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"einhyrningsins/internal/link"
)

func TestStopWithAStoppedMaster(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	_, pid := k.spawnWorker()
	k.send(&link.Spawn{Serial: 2, Generation: 1, Index: 1}) // never begun
	k.sys.did = nil
	k.caughtSignal(syscall.SIGTERM)
	k.sys.clock += patience
	k.deadlines()
	wantDid(t, k, "kill pid 101 9") // it did not deal with it
	k.masterDies()
	k.sys.did = nil
	k.runMaster() // and neither does the next
	k.sys.clock += patience
	k.deadlines()
	wantDid(t, k, "kill pid 103 9", "kill group 102 15")
	k.masterDies()
	k.sys.did = nil
	if k.ending != nil {
		t.Fatal("it ends while a worker runs")
	}
	k.sys.clock = k.alone.killAt
	k.deadlines()
	wantDid(t, k, "kill group 102 9")
	k.sys.end(pid, 0)
	k.reap()
	if code, _, over := k.over(); !over || code != 1 {
		t.Errorf("over is %v with status %d, want the end with status 1", over, code)
	}
	if _, j := k.spawner.next(); j.serial != 0 {
		t.Errorf("worker %d is still to be started", j.serial)
	}
}

func TestAloneKillsTheSpawnUnderWay(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Spawn{Serial: 1, Generation: 1})
	j, pid := k.begin()
	k.caughtSignal(syscall.SIGTERM)
	k.sys.clock += provenAfter
	k.masterDies()
	k.sys.clock += patience
	k.deadlines()
	if k.alone == nil || k.ending != nil {
		t.Fatalf("alone is %v and the end %v, want a stop that waits for the spawn", k.alone, k.ending)
	}
	k.sys.did = nil
	k.spawner.queue = nil // the master that was to follow
	k.finishJob(j, pid, nil)
	wantDid(t, k, "kill group 102 9")
}

func TestThirdINTKillsWithoutTheMaster(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.spawnWorker()
	k.send(&link.Spawn{Serial: 2, Generation: 1, Index: 1})
	k.sys.did = nil
	for range 3 {
		wantDid(t, k)
		k.caughtSignal(syscall.SIGINT)
	}
	wantDid(t, k, "kill group 102 9")
	if jobs, _ := k.spawner.next(); jobs != nil {
		t.Error("a worker is still to be started")
	}
	if c := k.table.bySerial[2]; c.Failed == nil {
		t.Error("the order that was not begun has no answer")
	}
}

func TestAStopThatAMasterDealsWithStartsNoTimer(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.spawnWorker()
	k.caughtSignal(syscall.SIGINT)
	k.told()
	k.send(&link.Save{Data: []byte(`{}`), Signals: map[int]int{2: 1}, Last: true})
	k.sys.clock += time.Hour
	if at, ok := k.nextDeadline(); ok {
		t.Errorf("a timer runs until %v", at)
	}
}

func TestEndWaitsForTheMasterButNotForEver(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Exit{Code: 0, Reason: "asked"})
	if _, _, over := k.over(); over {
		t.Fatal("it ends before the master has")
	}
	k.sys.clock += patience
	k.deadlines()
	wantDid(t, k, "kill pid 101 9")
	k.masterDies()
	if code, reason, over := k.over(); !over || code != 0 || reason != "asked" {
		t.Errorf("the end is %v %d %q", over, code, reason)
	}
}

func TestStopThatWasDealtWithEndsAlsoWithoutAMaster(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.spawnWorker()
	k.caughtSignal(syscall.SIGINT)
	k.told()
	k.send(&link.Save{Data: []byte(`{}`), Signals: map[int]int{2: 1}, Last: true})
	k.sys.clock += time.Hour
	k.masterDies()
	died := k.sys.clock
	for k.alone == nil && k.sys.clock < died+time.Minute {
		at, ok := k.nextDeadline()
		if !ok {
			t.Fatal("nobody will ever stop the worker")
		}
		k.sys.clock = at
		k.deadlines()
		if k.alone == nil {
			k.answerJob(syscall.EAGAIN)
		}
	}
	if k.alone == nil || k.sys.clock != died+patience {
		t.Errorf("the keeper stops alone %v after the master's death, want %v", k.sys.clock-died, patience)
	}
}

func TestNoDeadlineIsLeftBehind(t *testing.T) {
	k := newTestKeeper(t)
	k.runMaster() // it never goes live
	k.spawnWorker()
	k.caughtSignal(syscall.SIGTERM)
	for range 10 {
		at, ok := k.nextDeadline()
		if !ok {
			break
		}
		if at <= k.sys.clock && k.sys.clock > time.Second {
			t.Fatalf("a deadline of %v is still there at %v: the loop would spin", at, k.sys.clock)
		}
		k.sys.clock = at
		k.deadlines()
	}
	if k.alone == nil || k.alone.killAt != 0 {
		t.Errorf("alone is %+v, want a stop that has come to KILL", k.alone)
	}
}

// TestNoSpawnAfterTheLast: the sockets that it would need may be closed by then.
func TestNoSpawnAfterTheLast(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Save{Data: []byte(`{}`), Last: true})
	k.send(&link.Save{Data: []byte(`{}`)}) // it stays so
	k.send(&link.Spawn{Serial: 1, Generation: 1})
	if _, j := k.spawner.next(); j.serial != 0 {
		t.Errorf("worker %d is to be started", j.serial)
	}
	if c := k.table.bySerial[1]; c == nil || c.Failed == nil || syscall.Errno(c.Failed.Errno) != syscall.ECANCELED {
		t.Errorf("the order is not answered as given up: %+v", c)
	}
}

// replaceHung takes the keeper on by patience, sees that it kills the master for
// hanging, and lets another one go live, which does as little.
func (k *testKeeper) replaceHung() {
	k.t.Helper()
	k.sys.did = nil
	pid := k.master.pid
	k.sys.clock += patience
	k.deadlines()
	wantDid(k.t, k, fmt.Sprintf("kill pid %d 9", pid))
	k.masterDies()
	if k.alone != nil {
		k.t.Fatal("the keeper stops alone before another master had its time")
	}
	k.sys.clock = k.master.restartAt
	k.runMaster()
	k.send(&link.Greet{Pongs: true}, &link.Live{})
	k.told()
}

// A master that goes live and then does nothing must not keep the keeper from
// stopping, nor may the next ones.
func TestMastersThatGoLiveAndDoNothingCannotStopAStop(t *testing.T) {
	for name, signals := range map[string][]syscall.Signal{
		"TERM":      {syscall.SIGTERM},
		"QUIT":      {syscall.SIGQUIT},
		"USR2":      {syscall.SIGUSR2},
		"three INT": {syscall.SIGINT, syscall.SIGINT, syscall.SIGINT},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTestKeeper(t)
			k.live()
			_, pid := k.spawnWorker()
			k.sys.clock += time.Hour
			for _, sig := range signals {
				k.caughtSignal(sig)
			}
			caught := k.sys.clock
			k.replaceHung()
			for k.alone == nil {
				at, ok := k.nextDeadline()
				if !ok || at > caught+2*patience {
					t.Fatalf("the next deadline is at %v, %v; want the keeper to stop alone within %v of the signal at %v", at, ok, 2*patience, caught)
				}
				k.sys.clock = at
				k.deadlines()
			}
			k.masterDies()
			k.sys.clock = k.alone.killAt
			k.deadlines()
			if !slices.Contains(k.sys.did, fmt.Sprintf("kill group %d 9", pid)) {
				t.Errorf("it did %v, want the worker killed", k.sys.did)
			}
			k.sys.end(pid, 0)
			k.reap()
			if _, _, over := k.over(); !over {
				t.Error("it does not end")
			}
		})
	}
}

// A master may even take note of every signal and forget it, and do nothing.
func TestMastersThatForgetAStopCannotStopIt(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT} {
		k := newTestKeeper(t)
		k.live()
		k.spawnWorker()
		k.caughtSignal(sig)
		k.told()
		k.send(&link.Forget{Signal: int(sig), Count: 1})
		k.replaceHung()
		at := k.aloneAt()
		if want := time.Second + 2*patience; at != want {
			t.Errorf("%v: the keeper stops alone at %v, want %v", sig, at, want)
		}
	}
}

func TestAMasterThatHangsAfterItHasSentTheSignalsIsFound(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Greet{Pongs: true})
	serial, _ := k.spawnWorker()
	k.caughtSignal(syscall.SIGTERM)
	k.told()
	deals := []link.Message{
		&link.Save{Data: []byte(`{}`), Signals: map[int]int{15: 1}, Last: true},
		&link.Signal{Number: 1, Serial: serial, Signal: 15, Group: true, Level: link.LevelTerm},
	}
	k.send(deals...)
	k.send(&link.Greet{}) // it cannot take back that it gives signs of life
	k.told()
	for pause := patience; pause < time.Hour; pause *= 2 {
		if at, _ := k.nextDeadline(); at != k.sys.clock+pause {
			t.Fatalf("the next deadline is in %v, want %v", at-k.sys.clock, pause)
		}
		k.sys.clock += pause
		k.deadlines()
		wantTold(t, k, `Ping {}`)
		k.send(&link.Pong{})
	}
	k.sys.clock, _ = k.nextDeadline()
	k.deadlines()
	wantTold(t, k, `Ping {}`)
	k.replaceHung() // no answer
	if at := k.aloneAt(); at != k.sys.clock+patience {
		t.Errorf("the keeper stops alone in %v, want %v", at-k.sys.clock, patience)
	}
}

// Both were stopped for a while: the master has its time once more.
func TestNoMasterIsTakenForHungThatWasFrozenWithUs(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.spawnWorker()
	k.caughtSignal(syscall.SIGINT)
	k.sys.did = nil
	k.sys.clock += time.Hour
	k.deadlines()
	wantDid(t, k)
	if at, _ := k.nextDeadline(); at != k.sys.clock+patience {
		t.Errorf("the next deadline is in %v, want %v", at-k.sys.clock, patience)
	}
	k.replaceHung()
}

func TestTheEndComesThoughAWorkerCannotBeKilled(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.spawnWorker()
	k.caughtSignal(syscall.SIGTERM)
	k.sys.clock += provenAfter
	k.masterDies()
	for !func() bool { _, _, over := k.over(); return over }() {
		at, ok := k.nextDeadline()
		if !ok {
			t.Fatal("it waits for ever")
		}
		k.sys.clock = at
		if k.master.restartAt == at {
			k.master.restartAt = 0 // no other can be had
		}
		k.deadlines()
	}
}

// A master that has carried out everything, and gives signs of life, still has to end.
func TestAMasterThatDoesNotEndWhenNobodyIsLeftIsFound(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	_, pid := k.spawnWorker()
	k.caughtSignal(syscall.SIGINT)
	k.told()
	k.send(&link.Save{Data: []byte(`{}`), Signals: map[int]int{2: 1}, Last: true})
	k.sys.clock += time.Hour
	k.sys.end(pid, 0)
	k.reap()
	k.send(&link.Forget{Serial: 1})
	k.replaceHung()
}
