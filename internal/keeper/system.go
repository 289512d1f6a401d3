// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"os"
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
	// open holds a binary, to be executed. It may block.
	open(path string) (*os.File, error)
	// reap takes the exit status of a child that has ended.
	reap(pid int) syscall.WaitStatus
}

// process is what start needs to know.
type process struct {
	path    string
	place   *launch.Place // not nil: where the program is, and where it begins
	held    *os.File      // not nil: the program
	argv    []string
	env     []string
	files   []uintptr // fd 0 and up
	blocked []syscall.Signal
	orphan  syscall.Signal // what it gets when we die; 0: nothing
	step    *step.Orders   // what it does before; nil: it is our own binary, or there are no steps
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
	switch {
	case p.place != nil:
		p.path = p.place.Enter(all)
	case p.held != nil:
		p.path = platform.HeldPath(p.held, p.path)
	}
	return syscall.ForkExec(p.path, p.argv, all)
}

func (realSystem) open(path string) (*os.File, error) { return platform.OpenBinary(path) }

func (realSystem) ended() (pid int)                { return platform.Ended() }
func (realSystem) hasEnded(pid int) bool           { return platform.HasEnded(pid) }
func (realSystem) reap(pid int) syscall.WaitStatus { return platform.Reap(pid) }

func (realSystem) kill(pid int, sig syscall.Signal, group bool) error {
	return platform.Kill(pid, sig, group)
}
