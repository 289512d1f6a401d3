// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// grace is for what is about to end when the tests have passed.
	grace = 5 * time.Second
	// dying is for the tests themselves when they were asked to end.
	dying = 20 * time.Second
	// setChildSubreaper is PR_SET_CHILD_SUBREAPER, prctl(2).
	setChildSubreaper = 36
)

// family is what was started: the tests, and all that comes from them.
type family struct {
	tests  int // their pid
	status int
	ended  bool         // the tests have
	killed map[int]bool // children by pid, until they are reaped
	left   bool         // the tests left something behind
}

// run runs the tests and returns their exit status, or 1 when they passed and
// left something behind. Everything is done by this one goroutine, so that a
// child that it has not reaped keeps its pid.
func run(words []string) (status int, err error) {
	// The kernel ends the tests if this thread ends before them.
	runtime.LockOSThread()
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return 0, fmt.Errorf("cannot become the parent of orphans: %w", errno)
	}
	// One more word is enough: all that it can have missed is looked at again.
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	asked := make(chan os.Signal, 8)
	signal.Notify(asked, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)

	path, err := exec.LookPath(words[0])
	if err != nil {
		return 0, err
	}
	tests, err := os.StartProcess(path, words, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, err
	}
	f := &family{tests: tests.Pid, killed: map[int]bool{}}
	var late <-chan time.Time
	killing := false
	for {
		before := f.ended
		if f.reap() {
			return f.verdict(), nil
		}
		if f.ended && !before {
			late = time.After(grace)
			killing = f.status != 0 // a test had no occasion to clean up, perhaps
		}
		if killing {
			f.kill()
		}
		select {
		case <-children:
		case s := <-asked:
			if !f.ended {
				syscall.Kill(f.tests, s.(syscall.Signal)) // not reaped, so it is still there
				late = time.After(dying)
			}
		case <-late:
			killing = true
		}
	}
}

// reap takes note of all that have ended, and says whether nobody is left.
func (f *family) reap() (nobody bool) {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return true
		case pid == 0:
			return false
		case pid == f.tests:
			f.ended = true
			f.status = ws.ExitStatus()
			if ws.Signaled() {
				fmt.Printf("testexec: the tests ended by signal: %v\n", ws.Signal())
				f.status = 128 + int(ws.Signal())
			}
		default:
			delete(f.killed, pid)
		}
	}
}

// kill kills each child. Theirs become ours then, with another SIGCHLD.
func (f *family) kill() {
	for _, pid := range childrenOf(os.Getpid()) {
		if f.killed[pid] {
			continue
		}
		if pid != f.tests {
			f.left = true
			fmt.Printf("testexec: left behind by the tests, and killed: process %d: %s\n", pid, commandOf(pid))
		}
		f.killed[pid] = true
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (f *family) verdict() int {
	if f.status == 0 && f.left {
		return 1
	}
	return f.status
}

// childrenOf are the children of a process that have not ended.
func childrenOf(parent int) (list []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // gone
		}
		// Behind the command's name are its state, its parent, …: proc_pid_stat(5).
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(fields) < 2 || fields[0] == "Z" || fields[1] != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			list = append(list, pid)
		}
	}
	return list
}

// commandOf is the beginning of a process's command line.
func commandOf(pid int) string {
	const longest = 200
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return fmt.Sprintf("%.*s", longest, strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " ")))
}
