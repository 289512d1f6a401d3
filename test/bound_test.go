// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

type startJob struct {
	cmd  *exec.Cmd
	done chan error
}

var startJobs = make(chan startJob)

func init() {
	go func() {
		runtime.LockOSThread() // the parent of prctl(2) is a thread, so it has to stay
		for j := range startJobs {
			j.done <- j.cmd.Start()
		}
	}()
}

// startBound starts a process that is killed when this one ends in any way.
func startBound(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	j := startJob{cmd, make(chan error)}
	startJobs <- j
	return <-j.done
}

// killIfMarked kills a process, and never another that got its number.
func killIfMarked(pid int, prefix string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if isMarked(pid, prefix) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}
