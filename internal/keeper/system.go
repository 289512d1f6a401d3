// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"os"
	"syscall"
	"time"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/start"
)

// system is the one seam between the keeper and the operating system's
// processes. Tests put another behind it, to force orderings that real runs
// rarely show.
type system interface {
	now() time.Duration // CLOCK_MONOTONIC
	// start runs a process, and is called on one locked thread. One with a report has
	// not reached its program yet; without, that was executed.
	start(p process) (pid int, report *start.Report, err error)
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
	program *start.Program
	argv    []string
	env     []string
	files   []uintptr // fd 0 and up
	blocked []syscall.Signal
	orphan  syscall.Signal // what it gets when we die; 0: nothing
	step    *start.Orders  // what it does before; nil: it is our own binary
}

// realSystem is the real one.
type realSystem struct{}

func (realSystem) now() time.Duration { return link.Now() }

func (realSystem) start(p process) (pid int, report *start.Report, err error) {
	restore := platform.SetSignalMask(p.blocked)
	defer restore()
	if p.step != nil {
		return start.Fork(*p.step, p.program, p.argv, p.env, p.files)
	}
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: p.orphan}
	pid, err = syscall.ForkExec(p.program.Path, p.argv, &syscall.ProcAttr{Env: p.env, Files: p.files, Sys: attr})
	return pid, nil, err
}

func (realSystem) open(path string) (*os.File, error) { return platform.OpenBinary(path) }

func (realSystem) ended() (pid int)                { return platform.Ended() }
func (realSystem) hasEnded(pid int) bool           { return platform.HasEnded(pid) }
func (realSystem) reap(pid int) syscall.WaitStatus { return platform.Reap(pid) }

func (realSystem) kill(pid int, sig syscall.Signal, group bool) error {
	return platform.Kill(pid, sig, group)
}
