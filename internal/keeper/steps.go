// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"os"
	"syscall"
	"time"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/step"
)

// maxSteps is how many workers may be on the way to their program at once: as
// many as keep every processor busy, and few enough that their pipes are no
// burden on RLIMIT_NOFILE. One that hangs, as execve(2) may on a dead file server,
// hinders nobody but itself.
const maxSteps = 64

// stepped is what became of a process that was to become a worker.
type stepped struct {
	worker *child
	pid    int
	err    error // a *step.Failure; nil: the program was executed
}

// orders are for workers that have to take a step before their program; nil:
// there is nothing to be done.
func (k *keeper) stepOrders() *step.Orders {
	if !k.contract.WantsPID() && k.cfg.Limits.None() {
		return nil
	}
	return &step.Orders{Keeper: os.Getpid(), Orphan: k.worker.orphan, Limits: k.cfg.Limits}
}

// startStep starts what becomes a worker.
func startStep(sys system, p process) (pid int, report *step.Report, err error) {
	to, err := step.Take(*p.step, p.place, p.argv, p.env, p.files)
	if err != nil {
		return 0, nil, err
	}
	pid, err = sys.start(process{path: platform.OwnProgram, argv: to.Argv, env: to.Env, files: to.Files})
	to.Started()
	if err != nil {
		to.Report.Close()
		return 0, nil, err
	}
	return pid, to.Report, nil
}

// workerStarted takes a process that is a worker now, or becomes one.
func (k *keeper) workerStarted(a answer) {
	c := k.table.bySerial[a.job.serial]
	c.channels = a.channels
	if a.report == nil {
		k.begins(c, a.pid, a.at)
		return
	}
	k.table.steps[a.pid] = c
	k.spawner.steps++
	if k.noSpawns {
		k.killSteps()
	}
	go func() { k.steps <- stepped{c, a.pid, a.report.Wait()} }()
}

// stepEnded takes what became of one. That of a process that ended it has left
// behind is reaped only now, so that its number belonged to nobody else.
func (k *keeper) stepEnded(s stepped) {
	delete(k.table.steps, s.pid)
	k.spawner.steps--
	if s.err == nil {
		k.begins(s.worker, s.pid, k.sys.now())
		return
	}
	_ = k.sys.kill(s.pid, syscall.SIGKILL, true) // it ends by itself, but nobody waits for that
	k.table.failed(s.worker, k.spawnFailure(s.worker.Serial, s.err))
}

// begins takes a worker whose program was executed.
func (k *keeper) begins(c *child, pid int, at time.Duration) {
	k.table.started(c, pid, at)
	k.niceWorker(c)
	if k.noSpawns {
		k.signal(c, syscall.SIGKILL, true, link.LevelKill)
	}
}

// killSteps ends what has not become a worker.
func (k *keeper) killSteps() {
	for pid := range k.table.steps {
		_ = k.sys.kill(pid, syscall.SIGKILL, true)
	}
}
