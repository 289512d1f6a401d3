// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"einhyrningsins/internal/wire"
)

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1 && !neg, "status NAME")
	d := fixtureOf(ts).daemon(ts, args[0])
	st, err := askStatus(d.sock)
	ts.Check(err)
	b, err := json.MarshalIndent(st, "", "  ")
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n", b)
}

// The terms of waitstatus: key, operator, value. The keys are those of facts (silent workers are ready, too);
// ~ matches a regular expression. lacks=PID says that the status knows no such
// worker (any more), without which a death may not have been told yet.
var term = regexp.MustCompile(`^([a-z]+)(=|!=|<=|>=|~)(.*)$`)

func cmdWaitStatus(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) >= 2 && !neg, "waitstatus NAME KEY=VALUE...")
	d := fixtureOf(ts).daemon(ts, args[0])
	eventually(ts, fmt.Sprintf("%s: %q", d.name, args[1:]), func() (bool, string) {
		select {
		case <-d.ended:
			ts.Fatalf("daemon %s has ended (%v):\n%s", d.name, d.cmd.ProcessState, tail(d.log))
		default:
		}
		st, err := askStatus(d.sock)
		if err != nil {
			return false, err.Error()
		}
		known := facts(st)
		for _, arg := range args[1:] {
			ok, err := holds(known, arg)
			ts.Check(err)
			if !ok {
				b, _ := json.Marshal(st)
				return false, string(b)
			}
		}
		return true, ""
	})
}

// facts is what can be asked of a status: the number of workers in each state,
// of all (workers) and of those of other generations than the newest that
// serve (old), and the rest as it is.
func facts(st *wire.Status) map[string]string {
	counts := map[string]int{"workers": len(st.Workers)}
	pids, says, silent := " ", "", 0
	for _, w := range st.Workers {
		pids += strconv.Itoa(w.PID) + " "
		counts[w.State]++
		says += fmt.Sprintf("%d: %s\n", w.Index, w.Status)
		if w.Silent {
			silent++
		}
		if w.Generation != st.Generation && (w.State == wire.StateReady || w.State == wire.StateStarting) {
			counts["old"]++
		}
	}
	known := map[string]string{
		"generation": strconv.Itoa(st.Generation), "good": strconv.Itoa(st.GoodGeneration),
		"number": strconv.Itoa(st.Number), "missing": strconv.Itoa(st.Missing),
		"failed": strconv.Itoa(st.FailedStarts), "failure": st.LastFailure,
		"upgrade": st.Upgrade.State, "reason": st.Upgrade.Reason,
		"says": says, "silent": strconv.Itoa(silent),
		"pids": pids, "stopping": strconv.FormatBool(st.Stopping), "master": strconv.Itoa(st.MasterPID),
	}
	for _, name := range []string{"workers", "old", wire.StateStarting, wire.StateReady, wire.StateDraining, wire.StateStopping, wire.StateKilled} {
		if _, taken := known[name]; !taken {
			known[name] = strconv.Itoa(counts[name])
		}
	}
	// "stopping" is a state of workers and of the whole: the workers' is "termed".
	known["termed"] = strconv.Itoa(counts[wire.StateStopping])
	return known
}

func holds(known map[string]string, text string) (bool, error) {
	m := term.FindStringSubmatch(text)
	if m == nil {
		return false, fmt.Errorf("cannot read %q: want KEY=VALUE, or !=, <=, >= or ~", text)
	}
	if m[1] == "lacks" {
		return !strings.Contains(known["pids"], " "+m[3]+" "), nil
	}
	is, ok := known[m[1]]
	if !ok {
		return false, fmt.Errorf("cannot read %q: no such key", text)
	}
	switch m[2] {
	case "=":
		return is == m[3], nil
	case "!=":
		return is != m[3], nil
	case "~":
		return regexp.MatchString(m[3], is)
	}
	a, err := strconv.Atoi(is)
	if err != nil {
		return false, err
	}
	b, err := strconv.Atoi(m[3])
	return m[2] == "<=" && a <= b || m[2] == ">=" && a >= b, err
}

// What a master's log says of a worker that begins or ceases to be ready, in the
// order in which it was decided.
var (
	becameReady = regexp.MustCompile(`msg="worker is ready".* pid=(\d+)`)
	noMoreReady = regexp.MustCompile(`msg="worker (?:was asked to end gracefully|was sent TERM|was sent KILL|says that it ends|died|ended)".* pid=(\d+)`)
)

// cmdLeastReady counts every moment, not only those at which somebody asks. It is
// for daemons whose masters live long enough to log what they do.
func cmdLeastReady(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "leastready NAME N")
	d := fixtureOf(ts).daemon(ts, args[0])
	want := count(ts, args[1])
	b, err := os.ReadFile(d.log)
	ts.Check(err)
	ready, reached := map[string]bool{}, false
	for line := range strings.Lines(string(b)) {
		if m := becameReady.FindStringSubmatch(line); m != nil {
			ready[m[1]] = true
		} else if m := noMoreReady.FindStringSubmatch(line); m != nil {
			delete(ready, m[1])
		}
		reached = reached || len(ready) >= want
		if reached && len(ready) < want {
			ts.Fatalf("%d were ready, not %d, from here on: %s\n%s", len(ready), want, line, tail(d.log))
		}
	}
	if !reached {
		ts.Fatalf("%d were never ready:\n%s", want, tail(d.log))
	}
}
