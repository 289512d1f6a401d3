// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/start"
)

// The process that looks is our binary as it lies on disk, or while that cannot be
// executed the one that masters are started from; internal/look is what it does.
const (
	lookFD    = "3"              // where it finds its socket
	lookLimit = 10 * time.Second // for all that it does, wrapper and all
)

// looks is what there is to start workers from, by generation, and the look that
// is under way.
type looks struct {
	launches map[int]*start.Launch
	newest   int   // generation that was looked for
	kept     []int // generations of which workers may still be spawned; nil: all

	now    *start.Looking
	task   *task
	failed *link.LookFailed // how the last one failed, as long as somebody may ask
	owed   int              // the generation whose answer the master waits for; 0: none

	at    *link.LookAt // what every look is told
	limit time.Duration
}

// orderLook answers at once where the answer is known, and otherwise looks. A
// look for another generation is given up: nobody waits for it any more.
func (k *keeper) orderLook(m *link.Look) {
	s := &k.looks
	known := s.launches[m.Generation] != nil || s.failed != nil && s.failed.Generation == m.Generation
	if wrong := k.checkLook(m.Generation); wrong != "" && !known {
		k.refuse("%s", wrong)
		return
	}
	s.owed, s.newest = m.Generation, max(s.newest, m.Generation)
	if known || s.now != nil && s.now.Generation == m.Generation {
		return
	}
	k.dropLook()
	s.failed = nil
	if k.noSpawns {
		s.failed = &link.LookFailed{Generation: m.Generation, Reason: "no more workers are spawned"}
		return
	}
	if len(s.launches) >= maxLaunches { // workers may drain for long: no fault of the master's
		s.failed = &link.LookFailed{Generation: m.Generation, Reason: fmt.Sprintf("workers of %d generations have not ended yet, and more are not kept; wait for some, or set --drain-timeout", len(s.launches))}
		return
	}
	l, err := start.Look(m.Generation, s.at, k.sys.now()+s.limit, k.log)
	if err != nil {
		s.failed = &link.LookFailed{Generation: m.Generation, Reason: fmt.Sprintf("cannot look at what to start: %v", err)}
		return
	}
	s.now, s.task = l, k.lookTask(l)
	k.await(s.task)
	k.spawner.want(job{task: s.task, process: stepsTo(process{
		program: &start.Program{Path: k.binary},
		argv:    lookArgs(k.binary),
		env:     os.Environ(),
		files:   append([]uintptr{k.devNull.Fd(), 1}, l.Files()...),
	})})
}

// lookArgs has the path by which a wrapper executes the binary again.
func lookArgs(binary string) []string {
	return []string{link.LookName, link.LookFlag, lookFD, binary}
}

// lookHeld looks again with the binary that masters are started from, when that on
// disk cannot be executed: it may be in the midst of an installation. A wrapper gets
// the descriptor of that binary, beside the one that it has to leave open anyway.
func (k *keeper) lookHeld(a answer) bool {
	j := a.job
	why, yes := programFailed(a.err)
	if !yes || j.process.program.File != nil || j.task != k.looks.task {
		return false
	}
	path := platform.OwnProgram
	if m := &k.master; m.binary != nil {
		path = platform.HeldPath(m.binary)
	}
	held, err := k.sys.open(path)
	if err != nil {
		return false
	}
	k.log.Warn("the binary on disk cannot be executed; the one that masters are started from looks at what to start",
		"error", fmt.Errorf("%s: %w", k.binary, why))
	k.looks.now.Hold(held)
	j.process.program = &start.Program{Path: k.binary, File: held}
	j.process.argv = lookArgs("/proc/self/fd/" + strconv.Itoa(len(j.process.files)))
	j.process.files = append(j.process.files, held.Fd())
	k.spawner.want(j)
	return true
}

// lookTask is the process of a look. That may be given up at any time.
func (k *keeper) lookTask(l *start.Looking) *task {
	t := &task{group: true, by: l.By}
	t.begun = func(a answer) {
		if a.err != nil && k.lookHeld(a) {
			k.await(t) // for the same time
			return
		}
		if a.err != nil {
			a.err = fmt.Errorf("%s: %w", k.binary, execError(a.err))
		}
		l.Started(a.pid, a.err)
		if l == k.looks.now {
			k.lookSettles()
		} else {
			k.kill(t)
		}
	}
	t.late = func() {
		l.Late(k.sys.now(), k.looks.limit)
		k.lookSettles()
	}
	t.ended = func(status syscall.WaitStatus) {
		l.Ended(status, platform.HowEnded(status))
		k.lookSettles()
	}
	return t
}

func (k *keeper) lookSays(in link.Received, open bool) {
	k.looks.now.Says(in, open)
	k.lookSettles()
}

func (k *keeper) lookSaid(last string) {
	k.looks.now.Heard(last)
	k.lookSettles()
}

// lookSettles ends a look that has failed, and takes what one that is over has
// come to.
func (k *keeper) lookSettles() {
	s := &k.looks
	l := s.now
	if l.Failed() {
		k.kill(s.task)
	}
	found, reason, over := l.Over()
	switch {
	case !over:
		k.await(s.task) // also for what it may have left behind
		s.task.by = l.By
		return
	case found != nil:
		found.Env = k.contract.Base(found.Environ, l.Generation)
		s.launches[l.Generation] = found
	default:
		s.failed = &link.LookFailed{Generation: l.Generation, Reason: reason}
	}
	k.dropLook()
}

// dropLook forgets the look that is under way, and leaves nothing of it.
func (k *keeper) dropLook() {
	if l, t := k.looks.now, k.looks.task; l != nil {
		k.looks.now, k.looks.task = nil, nil
		l.Close(k.drop(t))
		k.killStepOf(t)
		k.dismiss(t, 0)
	}
}

// tellLook answers the master's Look once there is an answer.
func (k *keeper) tellLook() {
	s := &k.looks
	found, failed := s.launches[s.owed], s.failed
	switch {
	case s.owed == 0 || k.master.conn.Pending():
		return
	case found != nil:
		k.master.conn.Send(&link.Looked{Launch: found.Launch})
	case failed != nil && failed.Generation == s.owed:
		k.master.conn.Send(failed)
	default:
		return
	}
	s.owed = 0
}

// keepGenerations ends what is of no use any more, now that workers of these
// generations alone may still be spawned; nil: of all.
func (k *keeper) keepGenerations(list []int) {
	s := &k.looks
	s.kept = list
	if list == nil {
		return
	}
	if s.now != nil && !slices.Contains(list, s.now.Generation) {
		k.dropLook()
	}
	if s.failed != nil && !slices.Contains(list, s.failed.Generation) {
		s.failed = nil
	}
	k.dropLaunches()
}

// dropLaunches closes those of which no worker lives or may be spawned. It
// keeps all when the master speaks of none that there is.
func (k *keeper) dropLaunches() {
	s := &k.looks
	if s.kept == nil || !slices.ContainsFunc(s.kept, func(g int) bool { return s.launches[g] != nil }) {
		return
	}
	maps.DeleteFunc(s.launches, func(g int, l *start.Launch) bool {
		unused := k.table.of[g] == 0 && !slices.Contains(s.kept, g)
		if unused {
			l.Close()
		}
		return unused
	})
}

// launchOf is what a worker of this generation is started from. When that is
// not known, for which a master would have to be gone bad, the newest is better
// than none.
func (k *keeper) launchOf(generation int) *start.Launch {
	if l := k.looks.launches[generation]; l != nil {
		return l
	}
	return k.looks.launches[slices.Max(slices.Collect(maps.Keys(k.looks.launches)))]
}

// allLaunches is for a hello, in the order of generations.
func (k *keeper) allLaunches() (list []link.Launch) {
	for _, generation := range slices.Sorted(maps.Keys(k.looks.launches)) {
		list = append(list, k.looks.launches[generation].Launch)
	}
	return list
}
