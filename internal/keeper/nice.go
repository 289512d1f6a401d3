// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/start"
)

// reniceTimeout is how long the operator's command may take.
const reniceTimeout = 10 * time.Second

// niceSelf gives the keeper its niceness, and so its masters, which inherit
// it. It comes before the threads that fork. What fails is a warning, as with
// einhorn.
func (k *keeper) niceSelf(ctx context.Context) {
	n := k.cfg.Nice
	if n.Master == nil {
		return
	}
	err := error(nil)
	if n.Renice == "" {
		err = platform.NiceSelf(*n.Master)
	} else {
		err = k.runRenice(ctx, platform.ReniceSelf(n.Renice, *n.Master))
	}
	if err != nil && ctx.Err() == nil {
		k.log.Warn("cannot set the niceness of keeper and masters", "nice", *n.Master, "error", err)
	}
}

// runRenice waits for the operator's command, or kills it when ctx ends: nothing
// else is to be done yet.
func (k *keeper) runRenice(ctx context.Context, script string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, report, err := k.sys.start(stepsTo(k.renicer(script)))
	if err != nil {
		return fmt.Errorf("cannot run %s: %w", shell, err)
	}
	ctx, cancel := context.WithTimeout(ctx, reniceTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = k.sys.kill(pid, syscall.SIGKILL, true) })()
	err = report.Wait()
	status := platform.Reap(pid)
	switch {
	case err != nil:
		return fmt.Errorf("cannot run %s: %w", shell, execError(err))
	case status != 0:
		return fmt.Errorf("%s: %s", k.cfg.Nice.Renice, platform.HowEnded(status))
	}
	return nil
}

// renicer is the process that runs the operator's command. What it prints is
// not for the log, what it complains of is.
func (k *keeper) renicer(script string) process {
	return process{
		program: &start.Program{Path: shell}, argv: []string{shell, "-c", script}, env: os.Environ(),
		files: []uintptr{k.devNull.Fd(), k.devNull.Fd(), 2},
	}
}

const shell = "/bin/sh"

// spawnThreadNice is the niceness that the thread needs from which workers are
// forked; nil: none of its own.
func (k *keeper) spawnThreadNice() *int {
	if k.cfg.Nice.Renice != "" {
		return nil
	}
	return k.cfg.Nice.Worker
}

// niceWorker gives a worker that was just started its niceness, where that it
// inherited is not the one already.
func (k *keeper) niceWorker(c *child) {
	if n := k.cfg.Nice; n.Worker != nil && n.Renice != "" {
		script := platform.Renice(n.Renice, *n.Worker, strconv.Itoa(c.PID))
		k.spawner.wantFirst(job{task: k.renice(c), process: stepsTo(k.renicer(script))})
	}
}

// renice is the task that gives a worker its niceness.
func (k *keeper) renice(c *child) *task {
	t := &task{group: true}
	t.begun = func(a answer) {
		if a.err != nil {
			k.cannotRun(c, a)
			return
		}
		t.by = k.sys.now() + reniceTimeout
	}
	t.ended = func(status syscall.WaitStatus) {
		if status != 0 && c.running() {
			k.log.Warn("the renice command failed", "worker", c.PID, "nice", *k.cfg.Nice.Worker, "how", platform.HowEnded(status), "hung", t.by == 0)
		}
	}
	return t
}

func (k *keeper) cannotRun(c *child, a answer) {
	k.log.Warn("cannot run a command for a worker", "pid", c.PID, "command", a.job.process.argv, "error", a.err)
}
