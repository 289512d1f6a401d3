// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"einhyrningsins/internal/link"
)

func wantTold(t *testing.T, k *testKeeper, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, k.told()); diff != "" {
		t.Errorf("told the master something else (-want +got):\n%s", diff)
	}
}

func wantDid(t *testing.T, k *testKeeper, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, k.sys.did); diff != "" {
		t.Errorf("did something else (-want +got):\n%s", diff)
	}
	k.sys.did = nil
}

func TestExitBeforeTheSpawnAnswersIsHeldBack(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	_, old := k.spawnWorker()
	k.send(&link.Spawn{Serial: 2, Generation: 1, Index: 1})
	j, pid := k.begin()
	k.sys.end(pid, 3) // ended before anybody knows its pid, and hides the next one
	k.sys.end(old, 4)
	k.reap()
	wantTold(t, k, `Exited {"serial":1,"pid":102,"code":4,"signal":0,"core":false,"at":1000000000}`)
	wantDid(t, k, "kill group 102 15", "reap 102")
	k.finishJob(j, pid, nil)
	wantTold(t, k,
		`Spawned {"serial":2,"pid":103,"at":1000000000}`,
		`Exited {"serial":2,"pid":103,"code":3,"signal":0,"core":false,"at":1000000000}`)
	wantDid(t, k, "kill group 103 15", "reap 103")
}

func TestUnknownChildrenAreReapedInSilence(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.sys.end(4711, 0)
	k.reap()
	wantTold(t, k)
	wantDid(t, k, "reap 4711")
}

func TestUnknownChildDuringASpawnIsReapedAfterIt(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Spawn{Serial: 1, Generation: 1})
	j, pid := k.begin()
	k.sys.end(4711, 0)
	k.reap()
	wantDid(t, k)
	k.finishJob(j, pid, nil)
	wantDid(t, k, "reap 4711")
	wantTold(t, k, `Spawned {"serial":1,"pid":102,"at":1000000000}`)
}

func TestWhatAMasterDidNotForgetIsToldToTheNext(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	_, first := k.spawnWorker()
	_, second := k.spawnWorker()
	k.sys.end(first, 1)
	k.sys.end(second, 2)
	k.reap()
	k.told()
	k.send(&link.Forget{Serial: 1}, &link.Save{Data: []byte(`{"a":1}`)})
	k.caughtSignal(syscall.SIGHUP)
	k.sys.clock += time.Second
	k.masterDies()
	hello, children := k.runMaster()
	if len(children) != 1 || children[0].Serial != 2 || children[0].Exit == nil || children[0].Exit.Code != 2 {
		t.Errorf("the next master hears of %+v, want only worker 2 with its exit", children)
	}
	if string(hello.Saved) != `{"a":1}` || hello.Signals[int(syscall.SIGHUP)] != 1 || hello.NextSerial != 3 {
		t.Errorf("the next master's hello is %+v", hello)
	}
	wantTold(t, k) // nothing twice
}

func TestWholeMessagesOfADeadMasterCount(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	serial, pid := k.spawnWorker()
	k.theirs.Send(&link.Save{Serial: serial, ReadyAt: 7, Data: []byte(`{}`)})
	k.theirs.Send(&link.Spawn{Serial: 2, Generation: 1, Index: 1})
	k.theirs.Send(&link.Signal{Number: 1, Serial: serial, Signal: 12, Level: link.LevelRetire})
	k.sys.clock += time.Second
	k.masterDies()
	_, children := k.runMaster()
	if len(children) != 2 {
		t.Fatalf("the next master hears of %d children, want 2", len(children))
	}
	if c := children[0]; c.ReadyAt != 7 || c.Level != link.LevelRetire || c.PID != pid {
		t.Errorf("the signalled worker is told as %+v", c)
	}
	if c := children[1]; c.PID != 0 || c.Generation != 1 || c.Index != 1 {
		t.Errorf("the ordered worker is told as %+v, want it without a pid", c)
	}
	k.answerJob(nil)
	wantTold(t, k, `Spawned {"serial":2,"pid":104,"at":2000000000}`)
}

func TestMasterBehindAQueueOfSpawnsStartsFirst(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Spawn{Serial: 1, Generation: 1}, &link.Spawn{Serial: 2, Generation: 1})
	k.sys.clock += time.Second
	k.masterDies()
	k.deadlines()
	if _, j := k.spawner.next(); j.serial != 0 {
		t.Errorf("the next job is worker %d, want the master", j.serial)
	}
}

func TestSignalsAreToldAgainUntilForgotten(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.caughtSignal(syscall.SIGINT)
	wantTold(t, k, `Signalled {"signal":2,"count":1}`)
	k.caughtSignal(syscall.SIGINT)
	wantTold(t, k, `Signalled {"signal":2,"count":1}`)
	k.send(&link.Save{Data: []byte(`{}`), Signals: map[int]int{2: 1}})
	k.sys.clock += time.Second
	k.masterDies()
	hello, _ := k.runMaster()
	if hello.Signals[2] != 1 {
		t.Errorf("%d INTs are told again, want the one that was not forgotten", hello.Signals[2])
	}
}

func TestSignalNeverReachesAReapedPid(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	serial, pid := k.spawnWorker()
	k.sys.end(pid, 0)
	k.reap()
	k.sys.did = nil
	k.send(&link.Signal{Number: 1, Serial: serial, Signal: 15, Group: true, Level: link.LevelTerm})
	wantDid(t, k)
	told := k.told()
	if !slices.Contains(told, `Done {"through":1}`) {
		t.Errorf("a signal to a worker that is gone was not confirmed: %q", told)
	}
}

func TestMasterThatSpeaksNonsenseIsReplaced(t *testing.T) {
	for name, m := range map[string]link.Message{
		"forgets a live worker":      &link.Forget{Serial: 1},
		"forgets a worker of air":    &link.Forget{Serial: 99},
		"spawns with a wrong number": &link.Spawn{Serial: 7, Generation: 1},
		"says what keepers say":      &link.Spawned{Serial: 1, PID: 1},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTestKeeper(t)
			k.live()
			k.spawnWorker()
			k.sys.did = nil
			k.send(m)
			wantDid(t, k, "kill pid 101 9")
			if _, ok := k.table.bySerial[1]; !ok {
				t.Error("the worker was forgotten")
			}
		})
	}
}

func TestHungMasterIsKilled(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	_, pid := k.spawnWorker()
	if at, ok := k.nextDeadline(); ok {
		t.Fatalf("a timer runs until %v though nothing waits", at)
	}
	k.sys.clock += time.Minute
	k.sys.end(pid, 0)
	k.reap()
	at, ok := k.nextDeadline()
	if !ok || at != k.sys.clock+patience {
		t.Fatalf("the deadline is %v, %v, want %v after the exit", at, ok, patience)
	}
	k.sys.did = nil
	k.sys.clock = at
	k.deadlines()
	wantDid(t, k, "kill pid 101 9")
	if at, ok := k.nextDeadline(); ok {
		t.Errorf("a timer runs until %v for a master that was killed", at)
	}
}

func TestMasterThatNeverGoesLiveIsKilled(t *testing.T) {
	k := newTestKeeper(t)
	k.runMaster()
	at, ok := k.nextDeadline()
	if !ok || at != k.sys.clock+patience {
		t.Fatalf("the deadline is %v, %v", at, ok)
	}
	k.sys.clock = at
	k.deadlines()
	wantDid(t, k, "kill pid 101 9")
}

func TestRestartDelays(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.sys.clock += provenAfter
	k.masterDies()
	if k.master.restartAt != k.sys.clock {
		t.Fatal("a proven master was not replaced at once")
	}
	k.deadlines()
	var delays []time.Duration
	var rebuilt []bool
	for range 8 {
		hello, _ := k.runMaster()
		rebuilt = append(rebuilt, hello.Rebuild != "")
		k.masterDies()
		delays = append(delays, k.master.restartAt-k.sys.clock)
		k.sys.clock = k.master.restartAt
		k.deadlines()
	}
	const ms = time.Millisecond
	if diff := cmp.Diff([]time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 2000 * ms, 2000 * ms}, delays); diff != "" {
		t.Errorf("other delays (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]bool{false, false, false, true, true, true, true, true}, rebuilt); diff != "" {
		t.Errorf("other masters started without the saved state (-want +got):\n%s", diff)
	}
}

func TestFirstMasterThatNeverGoesLiveEndsAll(t *testing.T) {
	k := newTestKeeper(t)
	for range triesWithState {
		k.runMaster()
		k.masterDies()
		k.master.restartAt = 0
	}
	if k.ending == nil || k.ending.code != 1 || !strings.Contains(k.ending.reason, "exit status 1") {
		t.Errorf("the end is %+v, want status 1 with the last word of the master", k.ending)
	}
}

func TestAMasterThatCannotBeStartedCostsNoState(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Save{Data: []byte(`{"a":1}`)})
	k.masterDies()
	for range 2 * triesWithState {
		k.sys.clock = k.master.restartAt
		k.deadlines()
		k.answerJob(syscall.EAGAIN)
	}
	k.sys.clock = k.master.restartAt
	k.deadlines()
	if hello, _ := k.runMaster(); hello.Rebuild != "" || string(hello.Saved) != `{"a":1}` {
		t.Errorf("its hello is %+v", hello)
	}
}

func TestLinkThatOutlivesItsMasterIsGivenUp(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.sys.clock += provenAfter
	k.sys.end(k.master.pid, 1) // and somebody else holds its end of the link
	k.reap()
	at, ok := k.nextDeadline()
	if !ok || k.master.restartAt != 0 {
		t.Fatal("nothing waits for the end of the link")
	}
	k.sys.clock = at
	k.deadlines()
	if k.master.conn != nil || k.master.restartAt != at {
		t.Errorf("no other master is to be started: %+v", k.master)
	}
}

func TestWhatHasArrivedComesBeforeADeadline(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	serial, pid := k.spawnWorker()
	k.sys.end(pid, 0)
	k.reap()
	k.told()
	k.theirs.Send(&link.Forget{Serial: serial})
	k.sys.did = nil
	k.sys.clock += time.Hour // both were stopped
	k.deadlines()
	wantDid(t, k)
	if len(k.table.ends) != 0 {
		t.Error("the master's word was not heard")
	}
}
