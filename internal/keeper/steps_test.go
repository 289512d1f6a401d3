// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"os"
	"testing"
	"time"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/start"
)

// testStep is a process that exists and has not reached its program.
type testStep struct {
	k      *testKeeper
	pid    int
	report *os.File // its end
}

func (k *testKeeper) beginStep() testStep {
	k.t.Helper()
	k.send(&link.Spawn{Serial: k.table.next, Generation: 1, Index: 0})
	return k.stepOfNextJob()
}

func (k *testKeeper) stepOfNextJob() testStep {
	k.t.Helper()
	j, pid := k.begin()
	report, theirs, err := start.NewReport("be so", "be fast")
	if err != nil {
		k.t.Fatal(err)
	}
	k.answered(answer{job: j, pid: pid, report: report})
	k.reap()
	w := testStep{k, pid, theirs}
	k.took = append(k.took, w)
	return w
}

// What a step says that reaches its program, and one that cannot execute it.
const (
	executed = "\x00\x00\x00"
	noRight  = executed + "\x00\x0d\x00" // EACCES
)

// says lets the process say something on its pipe and close it.
func (w testStep) says(text string) {
	w.k.t.Helper()
	if _, err := w.report.WriteString(text); err != nil {
		w.k.t.Fatal(err)
	}
	w.report.Close()
	select {
	case s := <-w.k.steps:
		w.k.stepEnded(s)
		w.k.reap()
		w.k.aloneProgress()
	case <-time.After(10 * time.Second):
		w.k.t.Fatal("nothing becomes of the step")
	}
}

func TestSpawnedIsToldWhenTheProgramRuns(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	w := k.beginStep()
	wantTold(t, k)
	w.says(executed)
	wantTold(t, k, `Spawned {"serial":1,"pid":102,"at":1000000000}`)
	wantDid(t, k)
}

func TestAnEndIsHeldBackUntilTheStepIsKnown(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	_, old := k.spawnWorker()
	w := k.beginStep()
	k.sys.end(w.pid, 3) // hides the next one
	k.sys.end(old, 4)
	k.reap()
	wantTold(t, k, `Exited {"serial":1,"pid":102,"code":4,"signal":0,"core":false,"at":1000000000}`)
	wantDid(t, k, "kill group 102 15", "reap 102")
	w.says(executed)
	wantTold(t, k,
		`Spawned {"serial":2,"pid":103,"at":1000000000}`,
		`Exited {"serial":2,"pid":103,"code":3,"signal":0,"core":false,"at":1000000000}`)
	wantDid(t, k, "kill group 103 15", "reap 103")
}

func TestAFailedStepIsAFailedSpawn(t *testing.T) {
	for said, want := range map[string]string{
		noRight:        `SpawnFailed {"serial":1,"errno":13,"path":"/p","doing":"","shortage":false,"at":1000000000}`,
		"\x01\x01\x00": `SpawnFailed {"serial":1,"errno":1,"path":"/p","doing":"be so","shortage":false,"at":1000000000}`,
		"\x02\x0b\x00": `SpawnFailed {"serial":1,"errno":11,"path":"/p","doing":"be fast","shortage":true,"at":1000000000}`,
		"":             `SpawnFailed {"serial":1,"errno":11,"path":"/p","doing":"come as far as the program","shortage":true,"at":1000000000}`,
	} {
		k := newTestKeeper(t)
		k.live()
		w := k.beginStep()
		w.says(said)
		wantTold(t, k, want)
		wantDid(t, k, "kill group 102 9")
		k.sys.end(w.pid, 1)
		k.reap()
		wantTold(t, k)
		wantDid(t, k, "reap 102")
	}
}

func TestAStopKillsStepsThatHang(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	w := k.beginStep()
	k.masterDies()
	k.sys.did = nil
	k.stopAlone()
	wantDid(t, k, "kill group 102 9")
	if k.ending != nil {
		t.Error("it ends before the step has")
	}
	k.sys.end(w.pid, 9)
	w.says("")
	if k.ending == nil {
		t.Error("it does not end")
	}
}

func TestAWorkerThatComesThroughAfterTheStopIsKilled(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	w := k.beginStep()
	k.stopSpawning()
	wantDid(t, k, "kill group 102 9")
	w.says(executed)
	wantDid(t, k, "kill group 102 9")
}

func TestStepsThatHangLeaveRoomForMasters(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	for range maxSteps {
		k.beginStep()
	}
	k.send(&link.Spawn{Serial: k.table.next, Generation: 1, Index: 0})
	if jobs, _ := k.spawner.next(); jobs != nil {
		t.Errorf("more than %d steps are begun", maxSteps)
	}
	k.masterDies()
	k.runMaster()
	if k.master.conn == nil {
		t.Error("no master runs")
	}
}

// A file system that hangs must not hold up a stop: not even KILL ends what waits
// for it.
func TestAStopDoesNotWaitForAStepThatCannotEnd(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	w := k.beginStep()
	if at, ok := k.nextDeadline(); ok {
		t.Errorf("a timer runs until %v", at)
	}
	k.send(&link.Save{Data: []byte(`{}`), Last: true})
	for range 2 {
		if at, _ := k.nextDeadline(); at != k.sys.clock+patience {
			t.Fatalf("the stop waits until %v, want %v", at, k.sys.clock+patience)
		}
	}
	k.sys.clock += patience
	k.deadlines()
	wantDid(t, k, "kill group 102 9")
	wantTold(t, k, `SpawnFailed {"serial":1,"errno":110,"path":"/p","doing":"","shortage":false,"at":6000000000}`)
	k.send(&link.Forget{Serial: 1})
	if at, ok := k.nextDeadline(); ok {
		t.Errorf("a timer runs until %v", at)
	}
	k.sys.did = nil
	w.says("") // it ended after all
	k.sys.end(w.pid, 9)
	k.reap()
	wantDid(t, k, "kill group 102 9", "reap 102")
	if len(k.table.steps) > 0 || k.spawner.steps != 0 {
		t.Errorf("%d steps are left, the spawner counts %d", len(k.table.steps), k.spawner.steps)
	}
}

// A probe, a look, a renice command and a new master may hang as well as a worker.
func TestNobodyWaitsBehindWhatHangs(t *testing.T) {
	k := newTestKeeper(t)
	k.cfg.AckManual, k.cfg.AckBy = true, "exec"
	k.live()
	serial, worker := k.spawnWorker()
	k.send(&link.Probe{Serial: serial})
	probe := k.stepOfNextJob()
	k.send(&link.Look{Generation: 2})
	look := k.stepOfNextJob()
	k.send(&link.Reload{})
	k.openHeir()
	heir := k.stepOfNextJob()
	for range maxSteps {
		k.beginStep()
	}
	k.send(&link.Spawn{Serial: k.table.next, Generation: 1, Index: 0}) // which has to wait
	k.send(&link.Look{Generation: 3})
	k.sys.did = nil
	k.stepOfNextJob() // and another look does not wait behind it
	k.sys.clock += patience
	k.deadlines()
	wantDid(t, k, fmt.Sprintf("kill group %d 9", heir.pid))
	if k.heir != nil {
		t.Error("the reload goes on")
	}
	k.sys.did = nil
	heir.says("")
	look.says("")
	probe.says(executed + "\x00\x02\x00")
	if k.table.bySerial[serial].probed == nil {
		t.Error("nothing came of the probe")
	}
	k.sys.end(worker, 0)
	k.reap()
	if !k.table.bySerial[serial].ended() {
		t.Error("the end of a worker is not seen")
	}
}
