// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write generated files anew")

// role makes the test binary something else, for tests that need the program
// on a terminal of its own: the program, or the leader of its session.
const role = "EINHYRNINGSINSCTL_TEST_ROLE"

// calledAs gives the program another name than the test binary's.
const calledAs = "EINHYRNINGSINSCTL_TEST_NAME"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "program":
		main()
	case "leader":
		lead()
	}
	testscript.Main(m, map[string]func(){programName: main, einhornshName: main})
}

// TestScripts runs testdata/script against a fake master. Its commands there:
//
//	fake abort | no-reload | die-after N | stop | saw COMMAND…
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			f := newFake(env.T().(testing.TB))
			env.Values["fake"] = f
			env.Setenv("SOCK", f.path)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fake":   cmdFake,
			"status": func(ts *testscript.TestScript, _ bool, args []string) { cmdStatus(ts, programName, args) },
			"sh":     func(ts *testscript.TestScript, _ bool, args []string) { cmdStatus(ts, einhornshName, args) },
		},
	})
}

func cmdFake(ts *testscript.TestScript, neg bool, args []string) {
	f := ts.Value("fake").(*fake)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch args[0] {
	case "abort":
		f.abort = true
	case "no-reload":
		f.noReload = true
	case "die-after":
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		f.dieAfter = n
	case "stop":
		f.ln.Close()
	case "saw":
		want, found := strings.Join(args[1:], " "), false
		for _, c := range f.commands {
			found = found || c == want
		}
		if found == neg {
			ts.Fatalf("the master saw %q", f.commands)
		}
	default:
		ts.Fatalf("unknown: fake %s", args[0])
	}
}

// cmdStatus runs the program, by one name or the other, with the socket, and
// checks its exit status:
//
//	status N [ARG…]
//	sh N [ARG…]
func cmdStatus(ts *testscript.TestScript, name string, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(name, append([]string{"-d", ts.Getenv("SOCK")}, args[1:]...)...)
	got := 0
	if exit, ok := err.(interface{ ExitCode() int }); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
