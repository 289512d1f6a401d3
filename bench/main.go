// SPDX-License-Identifier: GPL-3.0-or-later

// Command bench measures what this project promises, with real processes on
// loopback, and prints one table (or JSON): each figure, the bar it is held
// against, and whether it clears it.
//
//	go run ./bench                 everything; some fifteen minutes
//	go run ./bench -quick          a tenth of it, for trying
//	go run ./bench -only upgrade   one measurement
//
// main.go holds the list of measurements and report.go the table. env.go builds
// the programs as they are released, daemon.go runs and ends a daemon, proc.go
// reads what the system knows of a process, stats.go has quantiles. Every other
// file is one measurement: requests.go, upgrade.go, start.go, early.go, rest.go (memory
// and wake-ups), roundtrip.go, thousand.go, step.go, notify.go, recovery.go, reload.go,
// latency.go, hostile.go, drain.go; peers.go, with rival.go and play.go, measures gunicorn
// and Server::Starter beside ours. docs/benchmarks.md describes all of them.
//
// Nothing is left behind: processes are ended by the pids that were started,
// files live in one temporary directory. Memory, threads and wake-ups are read
// in /proc, so those measurements need Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// measurement is one row of the table. limit bounds it, whatever happens.
type measurement struct {
	name  string
	what  string
	limit time.Duration
	run   func(context.Context, *env, *row) error
}

var measurements = []measurement{
	{"requests", "requests lost over upgrades under full load", 20 * time.Minute, requests},
	{"upgrade", "upgrade of 4 workers that boot in 100 ms, at rest", 3 * time.Minute, upgrade},
	{"start", "start to first answer", 2 * time.Minute, start},
	{"early", "signals right after the start", 10 * time.Minute, early},
	{"memory", "memory and threads at rest, after upgrades and load", 5 * time.Minute, memory},
	{"idle", "wake-ups when idle", 3 * time.Minute, idle},
	{"roundtrip", "round trip of a command", 2 * time.Minute, roundTrip},
	{"thousand", "1,000 workers of sleep", 3 * time.Minute, thousand},
	{"step", "the last step to a worker, for LISTEN_PID and limits", 3 * time.Minute, step},
	{"notify", "READY=1 of a worker until its ACK is safe", 2 * time.Minute, notifies},
	{"recovery", "kill -9 of the master to the next one's first answer", 3 * time.Minute, recovery},
	{"reload", "reloads of the master, alone and in a storm", 15 * time.Minute, reload},
	{"latency", "latency during upgrades against latency at rest", 30 * time.Minute, latency},
	{"hostile", "1,000 hostile clients of the control socket", 3 * time.Minute, hostile},
	{"drain", "what a worker's own way to stop loses", 5 * time.Minute, drain},
	{"peers", "side by side with gunicorn and Server::Starter", 10 * time.Minute, peers},
}

func main() {
	if os.Getenv(playVar) != "" {
		os.Exit(play())
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status: 0 when all was measured, whether or not the
// bars were cleared; 1 when something could not be measured; 2 for usage.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "", "comma-separated `names` of the measurements to run: "+strings.Join(names(), ", "))
	quick := flags.Bool("quick", false, "a tenth of everything: for trying, not for judging")
	asJSON := flags.Bool("json", false, "print JSON")
	patience := flags.Duration("patience", 0, "how long to wait before each measurement until nobody else uses the machine")
	keep := flags.Bool("keep", false, "keep the temporary directory with the daemons' logs")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	chosen, err := choose(*only)
	if err != nil || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "bench:", errors.Join(err, stray(flags.Args())))
		return 2
	}
	// A write to a connection whose peer has gone is an error, not our end.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e, err := newEnv(ctx, *quick, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	if *keep {
		fmt.Fprintln(stderr, "bench: keeping", e.dir)
	} else {
		defer os.RemoveAll(e.dir)
	}
	e.patience = *patience
	r := newReport(*quick)
	status := 0
	for _, m := range chosen {
		row := &row{Name: m.name, What: m.what}
		if err := e.measure(ctx, m, row); err != nil {
			row.Error = err.Error()
			status = 1
		}
		r.Rows = append(r.Rows, row)
		if ctx.Err() != nil {
			break
		}
	}
	if *asJSON {
		r.writeJSON(stdout)
	} else {
		r.writeTable(stdout)
	}
	return status
}

// measure runs one measurement within its limit and ends what it left running.
func (e *env) measure(ctx context.Context, m measurement, row *row) error {
	fmt.Fprintf(e.stderr, "bench: %s …\n", m.name)
	busy, err := e.quiet(ctx)
	if err != nil {
		return err
	}
	row.Busy = busy
	ctx, cancel := context.WithTimeout(ctx, m.limit)
	defer cancel()
	begun := time.Now()
	err = m.run(ctx, e, row)
	if leftErr := e.endAll(); err == nil {
		err = leftErr
	}
	row.Seconds = time.Since(begun).Seconds()
	if err != nil {
		fmt.Fprintf(e.stderr, "bench: %s: %v\n", m.name, err)
	}
	return err
}

func names() (list []string) {
	for _, m := range measurements {
		list = append(list, m.name)
	}
	return list
}

func choose(only string) ([]measurement, error) {
	if only == "" {
		return measurements, nil
	}
	var chosen []measurement
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(measurements, func(m measurement) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("cannot measure %q: there are %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, measurements[i])
	}
	return chosen, nil
}

func stray(args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("cannot take argument %q: there are only options; see -h", args[0])
}
