// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"errors"
	"os"
	"syscall"
	"time"

	"einhyrningsins/internal/claim"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/start"
)

// maxSteps is how many workers may be on the way to their program at once: as
// many as keep every processor busy, and few enough that their sockets are no
// burden on RLIMIT_NOFILE. One that hangs, as execve(2) may on a dead file server,
// hinders nobody but itself: the spawner executes nothing but our own binary.
const maxSteps = 64

// onTheWay is a process that has not reached its program.
type onTheWay struct {
	started answer        // what became of its job so far
	worker  *child        // that it is to be; or nil
	by      time.Duration // when a stop waits for it no longer; 0: none waits
	left    bool          // nobody waits for it
}

// stepped is what became of one.
type stepped struct {
	pid int
	err error // a *start.Failure; nil: the program was executed
}

// stepsTo makes a process one that takes a step before its program.
func stepsTo(p process) process {
	p.step = &start.Orders{Keeper: os.Getpid()}
	return p
}

// stepOrders are for workers.
func (k *keeper) stepOrders() *start.Orders {
	return &start.Orders{Keeper: os.Getpid(), Orphan: k.worker.orphan, Limits: k.cfg.Limits}
}

// stepBegun waits for what becomes of a process. Its end is not looked at before,
// since nobody knows yet whose it is.
func (k *keeper) stepBegun(a answer) {
	s := &onTheWay{started: a, worker: k.table.bySerial[a.job.serial]}
	k.table.steps[a.pid] = s
	if s.worker != nil {
		s.worker.channels = a.channels
		k.spawner.steps++
		if k.noSpawns {
			k.killStep(a.pid)
		}
	}
	go func() { k.steps <- stepped{a.pid, a.report.Wait()} }()
}

// stepEnded takes what became of one. That of a process that ended it has left
// behind is reaped only now, so that its number belonged to nobody else.
func (k *keeper) stepEnded(e stepped) {
	s := k.table.steps[e.pid]
	delete(k.table.steps, e.pid)
	if s.worker != nil && !s.left {
		k.spawner.steps--
	}
	if e.err != nil || s.left {
		_ = k.sys.kill(e.pid, syscall.SIGKILL, true) // it ends by itself, but nobody waits for that
	}
	if s.left {
		return
	}
	s.started.err = e.err
	if s.worker == nil {
		k.jobDone(s.started)
		return
	}
	if e.err != nil {
		k.table.failed(s.worker, k.spawnFailure(s.worker.Serial, e.err))
		return
	}
	k.begins(s.worker, e.pid, k.sys.now())
}

// begins takes a worker whose program was executed.
func (k *keeper) begins(c *child, pid int, at time.Duration) {
	k.table.started(c, pid, at)
	k.niceWorker(c)
	if k.noSpawns {
		k.signal(c, syscall.SIGKILL, true, link.LevelKill)
	}
}

func (k *keeper) killStep(pid int) { _ = k.sys.kill(pid, syscall.SIGKILL, true) }

// killSteps ends what has not become a worker.
func (k *keeper) killSteps() {
	for pid, s := range k.table.steps {
		if s.worker != nil {
			k.killStep(pid)
		}
	}
}

// killStepOf ends what has not become what it was to be, and is not wanted any more.
func (k *keeper) killStepOf(t *task) {
	for pid, s := range k.table.steps {
		if s.started.job.task == t {
			k.killStep(pid)
		}
	}
}

// programFailed tells whether a process came as far as its program, and why that
// could not be executed.
func programFailed(err error) (why syscall.Errno, yes bool) {
	if f := (*start.Failure)(nil); errors.As(err, &f) && f.Doing == "" {
		return f.Errno, true
	}
	return 0, false
}

// execError is why a program could not be executed, in words of the system.
func execError(err error) error {
	if why, yes := programFailed(err); yes {
		return why
	}
	return claim.RootCause(err)
}

// killAllSteps ends what has not become what it was to be.
func (k *keeper) killAllSteps() {
	for pid := range k.table.steps {
		k.killStep(pid)
	}
}

// stepsBy is when a stop waits no longer for workers that have not reached their
// program; 0: it waits for none.
func (k *keeper) stepsBy() (by time.Duration) {
	if k.stop.at == 0 && !k.enough {
		return 0
	}
	for _, s := range k.table.steps {
		if s.worker == nil || s.left {
			continue
		}
		if s.by == 0 {
			s.by = k.sys.now() + patience
		}
		if by == 0 || s.by < by {
			by = s.by
		}
	}
	return by
}

// leaveSteps gives up workers that hang before their program while everything is
// to end. Not even KILL may end them.
func (k *keeper) leaveSteps(due func(time.Duration) bool) {
	for pid, s := range k.table.steps {
		if !s.left && due(s.by) {
			k.log.Error("a worker hangs before its program; it is left behind", "pid", pid)
			k.killStep(pid)
			s.left = true
			k.spawner.steps--
			k.table.failed(s.worker, k.spawnFailure(s.worker.Serial, syscall.ETIMEDOUT))
		}
	}
	k.aloneProgress()
}

// stepping counts those that somebody waits for.
func (k *keeper) stepping() (n int) {
	for _, s := range k.table.steps {
		if !s.left {
			n++
		}
	}
	return n
}
