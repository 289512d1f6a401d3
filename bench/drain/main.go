// SPDX-License-Identifier: GPL-3.0-or-later

// Command drain measures what two ways to stop a Go HTTP worker lose under the
// same load: net/http's own Server.Shutdown, and worker.Serve of this project.
//
// It binds one socket and keeps it. Worker processes (role.go) share it; one
// after the other is replaced by a new one, which has to ACK before the old is
// signalled (package fleet), while clients send requests on kept and on new
// connections (bench/load, which also says what is lost). Nothing of the
// manager is involved, so the difference is the workers' own.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"einhyrningsins/bench/drain/fleet"
	"einhyrningsins/bench/load"
)

// roleVar in the environment makes the program a worker.
const roleVar = "BENCH_DRAIN_ROLE"

// The roles, which are also the rows of the table.
const (
	roleShutdown = "http.Server.Shutdown"
	roleServe    = "worker.Serve"
)

func main() {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(play(role))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// plan is what is done to each kind of worker.
type plan struct {
	workers  int
	restarts int           // worker processes replaced
	every    time.Duration // from one replacement to the next
	load     load.Options
}

func run(args []string, stdout, stderr io.Writer) int {
	var p plan
	flags := flag.NewFlagSet("drain", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&p.workers, "workers", 4, "worker processes that share the socket")
	flags.IntVar(&p.restarts, "restarts", 100, "worker processes to replace, one after the other")
	flags.DurationVar(&p.every, "every", 20*time.Millisecond, "pause between two replacements")
	flags.IntVar(&p.load.Conns, "conns", 16, "clients")
	flags.Float64Var(&p.load.NewFraction, "new", 0.5, "part of the requests that open a connection of their own")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if p.workers < 1 || p.restarts < 0 || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "drain: want -workers of at least 1, -restarts of at least 0, and no other argument")
		return 2
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "drain\trequests\ton new conns\trestarts\tlost\tretried\treq/s\tp50\tp99\tmax\t")
	var details []string
	for _, role := range []string{roleShutdown, roleServe} {
		r, err := measure(context.Background(), role, p)
		if err != nil {
			fmt.Fprintln(stderr, "drain:", err)
			return 1
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%.0f\t%v\t%v\t%v\t\n", role, r.Requests, r.New, p.restarts,
			r.Lost, r.Retried, r.PerSecond(), micro(r.P50()), micro(r.P99()), micro(r.Max()))
		if r.Lost > 0 {
			details = append(details, fmt.Sprintf("%s: %v", role, r))
		}
	}
	table.Flush()
	for _, d := range details {
		fmt.Fprintf(stdout, "\n%s\n", d)
	}
	return 0
}

func micro(d time.Duration) time.Duration { return d.Round(time.Microsecond) }

// measure sends load to workers of one role from before their first restart
// until after their last.
func measure(ctx context.Context, role string, p plan) (load.Result, error) {
	self, err := os.Executable()
	if err != nil {
		return load.Result{}, err
	}
	f, err := fleet.New([]string{self}, append(os.Environ(), roleVar+"="+role))
	if err != nil {
		return load.Result{}, err
	}
	defer f.Close()
	if err := f.Grow(p.workers); err != nil {
		return load.Result{}, err
	}
	p.load.Addr = f.Addr()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type outcome struct {
		result load.Result
		err    error
	}
	loaded := make(chan outcome, 1)
	go func() {
		r, err := load.Run(ctx, p.load)
		loaded <- outcome{r, err}
	}()
	for range p.restarts {
		if err := f.ReplaceOldest(); err != nil {
			return load.Result{}, err
		}
		time.Sleep(p.every)
	}
	// What still drains belongs to the measurement.
	if err := f.WaitDrained(); err != nil {
		return load.Result{}, err
	}
	stop()
	got := <-loaded
	return got.result, got.err
}
