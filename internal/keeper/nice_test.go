// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
)

func niceOf(worker int, command string) config.Nice {
	return config.Nice{Worker: &worker, Renice: command}
}

// TestWorkersComeFromTheirThread keeps masters from the niceness of workers.
func TestWorkersComeFromTheirThread(t *testing.T) {
	k := newTestKeeper(t)
	k.spawner.workers = make(chan job)
	k.live()
	k.send(&link.Spawn{Serial: 1, Generation: 1})
	if jobs, j := k.spawner.next(); jobs != (chan<- job)(k.spawner.workers) || j.serial != 1 {
		t.Errorf("worker %d is not forked where workers are", j.serial)
	}
	k.answerJob(nil)
	k.masterDies()
	k.startMaster()
	if jobs, j := k.spawner.next(); jobs != (chan<- job)(k.spawner.jobs) || j.process.argv[0] != MasterName {
		t.Errorf("%v is not forked where masters are", j.process.argv)
	}
}

func TestReniceCommand(t *testing.T) {
	k := newTestKeeper(t)
	k.cfg.Nice = niceOf(6, "sudo renice")
	k.live()
	k.send(&link.Spawn{Serial: 1, Generation: 1}, &link.Spawn{Serial: 2, Generation: 1, Index: 1})
	worker := k.answerJob(nil)
	j, renicer := k.begin() // before the next worker
	if want := []string{"/bin/sh", "-c", "sudo renice 6 -p 102"}; !slices.Equal(j.process.argv, want) || worker != 102 {
		t.Fatalf("%q was begun, want %q", j.process.argv, want)
	}
	k.finishJob(j, renicer, nil)
	if at, ok := k.nextDeadline(); !ok || at != k.sys.clock+reniceTimeout {
		t.Errorf("the command may run until %v", at)
	}
	// It hangs: killed, reaped while a spawn is under way, and forgotten.
	spawn, other := k.begin()
	k.sys.clock += reniceTimeout
	k.sys.did = nil
	k.deadlines()
	wantDid(t, k, "kill group 103 9")
	if at, ok := k.nextDeadline(); ok {
		t.Errorf("a deadline of %v is left", at)
	}
	k.sys.did = nil
	k.sys.ends = append(k.sys.ends, other) // whose pid nobody knows yet hides it
	k.sys.end(renicer, 1)
	k.reap()
	wantDid(t, k, "kill group 103 9", "reap 103")
	if k.commands() {
		t.Error("it is not forgotten")
	}
	k.sys.did = nil
	k.finishJob(spawn, other, nil)
	wantDid(t, k, "kill group 104 15", "reap 104")
}

func TestReniceThatCannotBeRunHarmsNobody(t *testing.T) {
	k := newTestKeeper(t)
	k.cfg.Nice = niceOf(6, "renice")
	k.live()
	k.send(&link.Spawn{Serial: 1, Generation: 1})
	k.answerJob(nil)
	k.answerJob(syscall.EAGAIN)
	if !k.table.bySerial[1].running() || k.commands() {
		t.Error("the worker is gone, or a command is waited for that never began")
	}
}

// TestAReniceThatCannotBeRunIsNoAnswerOfAProbe has both on their way.
func TestAReniceThatCannotBeRunIsNoAnswerOfAProbe(t *testing.T) {
	k := newTestKeeper(t)
	k.cfg.Nice = niceOf(6, "renice")
	k.cfg.AckManual, k.cfg.AckBy = true, "exec"
	k.live()
	k.send(&link.Spawn{Serial: 1, Generation: 1})
	k.answerJob(nil)
	k.send(&link.Probe{Serial: 1})
	k.answerJob(syscall.EAGAIN) // of the renice command
	c := k.table.bySerial[1]
	if c.probed != nil || c.probe == nil {
		t.Errorf("the probe has an answer before it began: %+v", c.probed)
	}
	k.answerJob(syscall.EAGAIN) // of the probe
	if c.probed == nil || c.probed.Ready || c.probe != nil {
		t.Errorf("a probe that cannot be run has the answer %+v", c.probed)
	}
}

// TestAloneEndsAfterARenice: the last worker may end while a command is begun.
func TestAloneEndsAfterARenice(t *testing.T) {
	k := newTestKeeper(t)
	k.cfg.Nice = niceOf(6, "renice")
	k.live()
	k.send(&link.Spawn{Serial: 1, Generation: 1})
	worker := k.answerJob(nil)
	j, pid := k.begin()
	k.caughtSignal(syscall.SIGTERM)
	k.sys.clock += provenAfter
	k.masterDies()
	k.sys.clock += patience + time.Second
	k.deadlines()
	k.sys.end(worker, 0)
	k.reap()
	k.finishJob(j, pid, nil)
	if k.ending == nil {
		t.Error("the keeper waits for ever")
	}
}
