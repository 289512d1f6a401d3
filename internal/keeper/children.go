// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"errors"
	"slices"
	"syscall"
	"time"

	"einhyrningsins/internal/link"
)

// child is one worker, from the order to start it until its end is forgotten.
type child struct {
	link.Child
	told  told
	queue bool // in table.news

	lastSignal syscall.Signal // of any kind; 0: none
	probe      *task          // the one that runs; nil: none does
	probed     *link.Probed   // what came of the last one, until it is told
	channels   channels       // what it can speak to us by, kept for the masters to come
}

// told is what this master has heard of a child.
type told struct {
	spawned, ended bool
	refused        link.SignalFailed // Errno 0: that it can be signalled
}

func (c *child) running() bool { return c.PID != 0 && c.Exit == nil }

// unkillable tells whether KILL was tried, and kill(2) refused it.
func (c *child) unkillable() bool { return c.Refused != nil && c.Level == link.LevelKill }

// refused is what a master is to know of signals that could not be sent.
func (c *child) refused() link.SignalFailed {
	if c.Refused == nil {
		return link.SignalFailed{}
	}
	return *c.Refused
}

func (c *child) ended() bool { return c.Exit != nil || c.Failed != nil }

// endedAt is when it ended; only for one that has.
func (c *child) endedAt() time.Duration {
	if c.Exit != nil {
		return c.Exit.At
	}
	return c.Failed.At
}

// table is the truth about which workers exist.
type table struct {
	bySerial map[uint64]*child
	byPID    map[int]*child    // running ones
	steps    map[int]*onTheWay // what has not reached its program, by their pids
	news     []*child          // with something to tell, each at most once
	ends     []*child          // ended and not forgotten, oldest first
	of       map[int]int       // how many of each generation are not forgotten
	next     uint64            // serial of the next child
	goneAt   time.Duration     // when the last one ended
	kept     int               // bytes of what is saved of all
}

func newTable() table {
	return table{bySerial: map[uint64]*child{}, byPID: map[int]*child{}, steps: map[int]*onTheWay{}, of: map[int]int{}, next: 1}
}

func (t *table) add(c *child) {
	t.bySerial[c.Serial] = c
	t.of[c.Generation]++
	t.next = c.Serial + 1
}

func (t *table) started(c *child, pid int, at time.Duration) {
	c.PID, c.StartedAt = pid, at
	t.byPID[pid] = c
	t.hasNews(c)
}

func (t *table) failed(c *child, f *link.SpawnFailed) {
	c.Failed, t.goneAt = f, f.At
	t.ends = append(t.ends, c)
	t.hasNews(c)
}

func (t *table) exited(c *child, e *link.Exited) {
	delete(t.byPID, c.PID)
	c.Exit, t.goneAt = e, e.At
	t.ends = append(t.ends, c)
	t.hasNews(c)
}

func (t *table) hasNews(c *child) {
	if !c.queue {
		c.queue = true
		t.news = append(t.news, c)
	}
}

// keep keeps what is saved of a child in place of what was.
func (t *table) keep(c *child, data []byte) {
	t.kept += len(data) - len(c.Saved)
	c.Saved = data
}

func (t *table) forget(c *child) {
	t.keep(c, nil)
	delete(t.bySerial, c.Serial)
	c.channels.close()
	if t.of[c.Generation]--; t.of[c.Generation] == 0 {
		delete(t.of, c.Generation)
	}
	t.ends = slices.DeleteFunc(t.ends, func(o *child) bool { return o == c })
}

// all returns the children in the order in which they were asked for.
func (t *table) all() []*child {
	list := make([]*child, 0, len(t.bySerial))
	for _, c := range t.bySerial {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *child) int { return int(int64(a.Serial) - int64(b.Serial)) })
	return list
}

// reap takes note of every child that has ended. What is left of a worker's
// process group gets TERM while its number still belongs to it.
func (k *keeper) reap() {
	for {
		pid := k.sys.ended()
		if pid == 0 {
			return
		}
		switch c, t := k.table.byPID[pid], k.taskOf(pid); {
		case c != nil:
			k.reapWorker(c)
		case t != nil:
			k.taskEnded(t)
		case k.spawner.busy(), k.table.steps[pid] != nil:
			// It may be the child of the spawn that has not answered yet, or of one
			// of which we don't know how far it got. Spawned must come first. It stays where it is until the answer,
			// and hides the others from us: look at these one by one.
			k.reapKnown()
			return
		default:
			k.sys.reap(pid) // a child that we inherited: none of our business
		}
	}
}

func (k *keeper) reapKnown() {
	for _, c := range k.table.all() {
		if c.running() && k.sys.hasEnded(c.PID) {
			k.reapWorker(c)
		}
	}
	for _, t := range slices.Clone(k.tasks) {
		if t.pid != 0 && k.sys.hasEnded(t.pid) {
			k.taskEnded(t)
		}
	}
}

func (k *keeper) reapWorker(c *child) {
	_ = k.sys.kill(c.PID, syscall.SIGTERM, true) // fails when nobody is left
	status := k.sys.reap(c.PID)
	e := &link.Exited{Serial: c.Serial, PID: c.PID, At: k.sys.now()}
	if status.Signaled() {
		e.Signal, e.Core = int(status.Signal()), status.CoreDump()
	} else {
		e.Code = status.ExitStatus()
	}
	k.table.exited(c, e)
	k.killProbe(c)
	k.aloneProgress()
}

// signal sends sig to a worker that was not reaped, so that its number cannot
// belong to another process.
func (k *keeper) signal(c *child, sig syscall.Signal, group bool, level link.Level) {
	if !c.running() {
		return
	}
	err := k.sys.kill(c.PID, sig, group)
	c.lastSignal = sig
	if level > c.Level {
		c.Level, c.SignalAt = level, k.sys.now()
	}
	k.signalled(c, sig, level, err)
}

// signalled takes note of whether a signal was sent. kill(2) may refuse it for now
// (EAGAIN), or because the worker has another user by now that is not ours (EPERM).
func (k *keeper) signalled(c *child, sig syscall.Signal, level link.Level, err error) {
	if err == nil {
		c.Refused = nil
	} else {
		f := &link.SignalFailed{Serial: c.Serial, Errno: int(syscall.EIO), Signal: int(sig), Level: level}
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			f.Errno = int(errno)
		}
		if c.Refused == nil || *c.Refused != *f { // it is tried again and again
			k.log.Error("cannot signal worker", "pid", c.PID, "signal", int(sig), "error", err)
		}
		c.Refused = f
	}
	if c.refused() != c.told.refused {
		k.table.hasNews(c)
	}
}

func (k *keeper) signalAll(sig syscall.Signal, level link.Level) {
	for _, c := range k.table.all() {
		k.signal(c, sig, true, level)
	}
}
