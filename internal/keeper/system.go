// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"syscall"
	"time"

	"einhyrningsins/internal/launch"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/step"
)

// system is the one seam between the keeper and the operating system's
// processes. Tests put another behind it, to force orderings that real runs
// rarely show.
type system interface {
	now() time.Duration // CLOCK_MONOTONIC
	// start runs a process; it may block, and is called on one locked thread.
	start(p process) (pid int, err error)
	// kill sends sig to a process, or to its whole group.
	kill(pid int, sig syscall.Signal, group bool) error
	// ended finds a child that has ended and leaves it unreaped; 0: none.
	ended() (pid int)
	// hasEnded tells whether this child has ended, and leaves it unreaped.
	hasEnded(pid int) bool
	// reap takes the exit status of a child that has ended.
	reap(pid int) syscall.WaitStatus
}

// process is what start needs to know.
type process struct {
	path    string
	place   *launch.Place // not nil: where the program is, and where it begins
	argv    []string
	env     []string
	files   []uintptr // fd 0 and up
	blocked []syscall.Signal
	orphan  syscall.Signal // what it gets when we die; 0: nothing
	step    *step.Orders   // not nil: what it does before
}

// realSystem is the real one.
type realSystem struct{}

func (realSystem) now() time.Duration { return link.Now() }

func (realSystem) start(p process) (int, error) {
	restore := platform.SetSignalMask(p.blocked)
	defer restore()
	attr := &syscall.SysProcAttr{Setpgid: true}
	platform.SetDeathSignal(attr, p.orphan)
	all := &syscall.ProcAttr{Env: p.env, Files: p.files, Sys: attr}
	if p.place != nil {
		p.path = p.place.Enter(all)
	}
	return syscall.ForkExec(p.path, p.argv, all)
}

func (realSystem) ended() (pid int)                { return platform.Ended() }
func (realSystem) hasEnded(pid int) bool           { return platform.HasEnded(pid) }
func (realSystem) reap(pid int) syscall.WaitStatus { return platform.Reap(pid) }

func (realSystem) kill(pid int, sig syscall.Signal, group bool) error {
	return platform.Kill(pid, sig, group)
}
