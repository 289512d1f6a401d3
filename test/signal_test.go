// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// process finds the pid that a word names.
func (f *fixture) process(ts *testscript.TestScript, word string) int {
	if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
		return pid
	}
	if file, ok := strings.CutPrefix(word, "@"); ok {
		pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(file)))
		ts.Check(err)
		return pid
	}
	kind, rest, found := strings.Cut(word, ":")
	if !found {
		return f.daemon(ts, word).cmd.Process.Pid
	}
	name, index, _ := strings.Cut(rest, ":")
	st, err := askStatus(f.daemon(ts, name).sock)
	ts.Check(err)
	switch kind {
	case "master":
		return st.MasterPID
	case "worker":
		for _, w := range st.Workers {
			if strconv.Itoa(w.Index) == index {
				return w.PID
			}
		}
		ts.Fatalf("daemon %s has no worker with index %s: %+v", name, index, st.Workers)
	}
	ts.Fatalf("cannot read %q: want NAME, master:NAME, worker:NAME:INDEX, @FILE or a pid", word)
	return 0
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) >= 2 && !neg, "signal SIGNAL PROCESS...")
	sig := unix.SignalNum("SIG" + args[0])
	usage(ts, sig != 0, "signal SIGNAL PROCESS..., with a name like TERM")
	f := fixtureOf(ts)
	var pids []int // all are found before the first is signalled
	for _, word := range args[1:] {
		pids = append(pids, f.process(ts, word))
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil {
			ts.Fatalf("cannot send %s to %d: %v", args[0], pid, err)
		}
	}
}

func cmdRemember(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "remember VARIABLE PROCESS")
	ts.Setenv(args[0], strconv.Itoa(fixtureOf(ts).process(ts, args[1])))
}

func cmdGone(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) >= 1 && !neg, "gone PROCESS...")
	f := fixtureOf(ts)
	for _, word := range args {
		pid := f.process(ts, word)
		eventually(ts, fmt.Sprintf("process %d is gone", pid), func() (bool, string) {
			state, _ := procState(pid)
			return state == "" || state == "Z", "in state " + state
		})
	}
}

func cmdReaped(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1 && !neg, "reaped PROCESS")
	pid := fixtureOf(ts).process(ts, args[0])
	eventually(ts, fmt.Sprintf("process %d is reaped", pid), func() (bool, string) {
		state, _ := procState(pid)
		return state == "", "in state " + state
	})
}

func cmdAlive(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) >= 1 && !neg, "alive PROCESS...")
	f := fixtureOf(ts)
	for _, word := range args {
		pid := f.process(ts, word)
		if state, _ := procState(pid); state == "" || state == "Z" {
			ts.Fatalf("process %d is not alive", pid)
		}
	}
}

func cmdWaitState(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "waitstate PROCESS LETTER")
	pid := fixtureOf(ts).process(ts, args[0])
	eventually(ts, fmt.Sprintf("process %d is in state %s", pid, args[1]), func() (bool, string) {
		state, _ := procState(pid)
		return state == args[1], state
	})
}

func cmdWaitAge(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "waitage PROCESS DURATION")
	pid := fixtureOf(ts).process(ts, args[0])
	want, err := time.ParseDuration(args[1])
	ts.Check(err)
	eventually(ts, fmt.Sprintf("process %d is %v old", pid, want), func() (bool, string) {
		age, err := procAge(pid)
		ts.Check(err)
		return age >= want, age.String()
	})
}

// cmdInsist sends a signal until the log says that it was heard. Signals of one
// kind that come too fast are one, signal(7), so three need not be three.
func cmdInsist(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 3 && !neg, "insist SIGNAL NAME REGEXP")
	d := fixtureOf(ts).daemon(ts, args[1])
	re, err := regexp.Compile(args[2])
	ts.Check(err)
	sig := unix.SignalNum("SIG" + args[0])
	last := time.Time{}
	eventually(ts, fmt.Sprintf("%q in the log", args[2]), func() (bool, string) {
		if time.Since(last) > 50*time.Millisecond {
			last = time.Now()
			ts.Check(syscall.Kill(d.cmd.Process.Pid, sig))
		}
		return re.MatchString(tail(d.log)), tail(d.log)
	})
}
