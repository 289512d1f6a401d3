// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"slices"
	"syscall"
	"time"

	"einhyrningsins/internal/start"
)

// task is a process of the keeper's that is no worker: a master, one that is to be
// the next or was the last, a look, a probe, a renice command. The keeper knows of
// each when it is late, and sees its end; what follows from that is its own.
type task struct {
	pid    int           // 0: there is none yet
	by     time.Duration // when it is late; 0: never
	dead   bool          // it was killed
	group  bool          // what it has started ends with it
	stderr *start.Stderr // what it says there; or nil
	begun  func(answer)  // takes what became of its start
	late   func()        // nil: it is killed
	ended  func(syscall.WaitStatus)
}

// await knows a task from now on: before it begins, if it can be late before that.
func (k *keeper) await(t *task) {
	if !slices.Contains(k.tasks, t) {
		k.tasks = append(k.tasks, t)
	}
}

// dismiss lets a task end of which nothing more is wanted, and kills it if it has
// not after a while. One that has no process yet is its begun's to deal with.
func (k *keeper) dismiss(t *task, after time.Duration) {
	t.by, t.late, t.ended = 0, nil, nil
	switch {
	case t.pid == 0:
		k.forgetTask(t)
	case after == 0:
		k.kill(t)
	default:
		t.by = k.sys.now() + after
	}
}

// drop takes a task from the queue; false when it was begun.
func (k *keeper) drop(t *task) bool {
	queued := slices.ContainsFunc(k.spawner.queue, t.is)
	k.spawner.queue = slices.DeleteFunc(k.spawner.queue, t.is)
	if queued {
		k.forgetTask(t)
	}
	return queued
}

func (t *task) is(j job) bool { return j.task == t }

func (k *keeper) forgetTask(t *task) {
	k.tasks = slices.DeleteFunc(k.tasks, func(o *task) bool { return o == t })
}

// kill ends a task that runs. It has to be reaped only.
func (k *keeper) kill(t *task) {
	t.by = 0
	if t.pid != 0 && !t.dead {
		t.dead = true
		_ = k.sys.kill(t.pid, syscall.SIGKILL, t.group)
	}
}

// taskBegun takes what became of the job to start one.
func (k *keeper) taskBegun(a answer) {
	t := a.job.task
	t.stderr.Started()
	if a.err == nil {
		t.pid = a.pid
		k.await(t)
	} else {
		k.forgetTask(t)
	}
	t.begun(a)
}

// taskEnded reaps one. What is left of its group is killed while its number still
// belongs to it.
func (k *keeper) taskEnded(t *task) {
	if t.group {
		_ = k.sys.kill(t.pid, syscall.SIGKILL, true)
	}
	status := k.sys.reap(t.pid)
	t.pid = 0
	k.forgetTask(t)
	t.stderr.End()
	if t.ended != nil {
		t.ended(status)
	}
}

// lateTasks deals with those that are late, and tells whether there were any.
func (k *keeper) lateTasks(due func(time.Duration) bool) (some bool) {
	for _, t := range slices.Clone(k.tasks) {
		if !due(t.by) {
			continue
		}
		some = true
		if t.late != nil {
			t.late()
		} else {
			k.kill(t)
		}
	}
	return some
}

// taskOf is the task that is this process; or nil.
func (k *keeper) taskOf(pid int) *task {
	for _, t := range k.tasks {
		if t.pid == pid {
			return t
		}
	}
	return nil
}

// killTasks leaves no task behind: one that was stopped never would end.
func (k *keeper) killTasks() {
	for _, t := range k.tasks {
		k.kill(t)
	}
}
