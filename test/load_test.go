// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"einhyrningsins/bench/load"
)

// running is load that is being sent.
type running struct {
	cancel   context.CancelFunc
	answered atomic.Int64
	result   load.Result
	err      error
	done     chan struct{}
}

func (r *running) stop() {
	r.cancel()
	<-r.done
}

func cmdLoad(ts *testscript.TestScript, neg bool, args []string) {
	// The rate leaves the machine room for what the script is about: what is
	// lost in an upgrade does not depend on it.
	opts := load.Options{Timeout: patience / 3}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&opts.Conns, "conns", 6, "")
	flags.Float64Var(&opts.NewFraction, "new", 0.5, "")
	flags.Float64Var(&opts.Rate, "rate", 600, "")
	ts.Check(flags.Parse(args))
	usage(ts, flags.NArg() == 1 && !neg, "load [-conns N] [-new PART] [-rate N] NAME")
	f := fixtureOf(ts)
	d := f.daemon(ts, flags.Arg(0))
	opts.Addr = d.address
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	r := &running{cancel: cancel, done: make(chan struct{})}
	opts.OnAnswer = func([]byte) { r.answered.Add(1) }
	f.loads[d.name] = r
	go func() {
		defer close(r.done)
		r.result, r.err = load.Run(ctx, opts)
	}()
	r.waitMore(ts, int64(opts.Conns))
}

// waitMore waits for so many more answers.
func (r *running) waitMore(ts *testscript.TestScript, n int64) {
	want := r.answered.Load() + n
	eventually(ts, fmt.Sprintf("%d more answers", n), func() (bool, string) {
		return r.answered.Load() >= want, fmt.Sprintf("%d too few", want-r.answered.Load())
	})
}

func cmdUnload(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1 && !neg, "unload NAME")
	f := fixtureOf(ts)
	r := f.loads[args[0]]
	usage(ts, r != nil, "unload NAME, after load NAME")
	r.waitMore(ts, 20)
	r.stop()
	delete(f.loads, args[0])
	ts.Check(r.err)
	ts.Logf("load: %v", r.result)
	if r.result.Lost != 0 || r.result.Requests == 0 {
		ts.Fatalf("requests were lost: %v", r.result)
	}
}

func cmdAnswers(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "answers NAME REGEXP")
	d := fixtureOf(ts).daemon(ts, args[0])
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	eventually(ts, fmt.Sprintf("an answer that matches %q", args[1]), func() (bool, string) {
		body := ""
		r, err := load.Run(context.Background(), load.Options{
			Addr: d.address, Total: 1, NewFraction: 1, Timeout: 10 * time.Second,
			OnAnswer: func(b []byte) { body = string(b) },
		})
		ts.Check(err)
		return re.MatchString(body), fmt.Sprintf("%q, %v", body, r)
	})
}
