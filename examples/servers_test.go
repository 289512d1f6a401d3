// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"einhyrningsins/bench/load"
	"einhyrningsins/client"
)

// upgrades is how many each server goes through, every second one of them fleet.
const upgrades = 20

// pause is how many answers there are at least between two upgrades.
const pause = 20

// server is a server that somebody else made, and how it runs under the daemon.
// Its test is a call of survivesUpgrades with one of these.
type server struct {
	needs   []string // commands (or perl:MODULE, ruby:LIBRARY) without which the test is skipped
	dir     string   // where the daemon is started; the example's own
	options []string // of the daemon beside -n, -b and -d
	bind    string   // for -b; "" is a free TCP port
	environ []string // beside our own
	program []string

	// traffic sends requests until ctx ends, and calls answered for each that was
	// not lost; ask sends one on a new connection. nil: HTTP, on kept and new
	// connections, to / and to /slow?for=50ms; hesitantTraffic has more.
	traffic func(ctx context.Context, addr string, answered func()) (tally, error)
	ask     func(ctx context.Context, addr string) (string, error)

	// newest is in every answer of the last generation; "" is generation=21,
	// as an example says that prints what SERVER_STARTER_GENERATION holds.
	newest string

	// tolerates looks at what was lost. nil: nothing may be. A server that loses
	// by its own fault has the reason here, and its README the proof.
	tolerates func(tally) error
}

// tally is what became of some traffic.
type tally struct {
	sent, lost int64
	kinds      map[load.Kind]int64
	text       string // for people
}

// survivesUpgrades runs a server with three workers, upgrades it under load, and
// counts what was lost.
func survivesUpgrades(t *testing.T, s server) tally {
	t.Helper()
	d := s.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	sent := s.upgradeUnderLoad(ctx, t, d)
	d.waitReady(ctx, 3)
	if body, err := s.ask(ctx, d.addr); err != nil || !strings.Contains(body, s.newest) {
		t.Errorf("want an answer of the last generation (%s), got %q, %v", s.newest, body, err)
	}
	d.stop()
	t.Logf("%d upgrades, %d lost of %d; %s", upgrades, sent.lost, sent.sent, sent.text)
	if sent.sent < pause*upgrades {
		t.Errorf("%d requests are no load", sent.sent)
	}
	if err := s.tolerates(sent); err != nil {
		t.Errorf("%v: %s", err, sent.text)
	}
	return sent
}

// start starts the daemon and waits for three ready workers, or skips the test
// where the server is not installed.
func (s *server) start(t *testing.T) *daemon {
	t.Helper()
	for _, command := range s.needs {
		if !have(command) {
			t.Skipf("%s is not installed; make test installs it, as root on Debian", command)
		}
	}
	t.Parallel()
	s.complete()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	d := startDaemon(ctx, t, *s)
	d.waitReady(ctx, 3)
	return d
}

// refusesBroken upgrades to an application that cannot be loaded, for which text
// is written to a file: the old workers have to stay, since no new one said that
// it is ready.
func refusesBroken(t *testing.T, s server, file, text string) {
	t.Helper()
	from := s.dir
	s.dir = t.TempDir()
	if err := os.CopyFS(s.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	s.options = append(slices.Clone(s.options), "--upgrade-retries", "1")
	d := s.start(t)
	if err := os.WriteFile(filepath.Join(s.dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var refused *client.Error
	if _, err := d.client.Upgrade(t.Context(), client.Smooth, nil); !errors.As(err, &refused) || refused.Code != client.Aborted {
		t.Errorf("want the upgrade given up, got %v", err)
	}
	d.waitReady(t.Context(), 3)
	if body, err := webAsk(t.Context(), d.addr); err != nil || !strings.Contains(body, "generation=1\n") {
		t.Errorf("want an answer of the first generation, got %q, %v", body, err)
	}
	d.stop()
}

// have tells whether there is a command, or a part of a language that has to be
// installed, which is written as in scripts/need.
func have(what string) bool {
	if name, ok := strings.CutPrefix(what, "perl:"); ok {
		return exec.Command("perl", "-M"+name, "-e1").Run() == nil
	}
	if name, ok := strings.CutPrefix(what, "ruby:"); ok {
		return exec.Command("ruby", "-r"+name, "-e1").Run() == nil
	}
	_, err := exec.LookPath(what)
	return err == nil
}

func (s *server) complete() {
	if s.bind == "" {
		s.bind = "127.0.0.1:0,r"
	}
	if s.traffic == nil {
		s.traffic = webTraffic
	}
	if s.ask == nil {
		s.ask = webAsk
	}
	if s.newest == "" {
		s.newest = fmt.Sprintf("generation=%d", upgrades+1)
	}
	if s.tolerates == nil {
		s.tolerates = func(got tally) error {
			if got.lost != 0 {
				return fmt.Errorf("%d of %d requests were lost", got.lost, got.sent)
			}
			return nil
		}
	}
}

func (s *server) upgradeUnderLoad(ctx context.Context, t *testing.T, d *daemon) (sent tally) {
	var answers atomic.Int64
	loading, unload := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		var err error
		if sent, err = s.traffic(loading, d.addr, func() { answers.Add(1) }); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer unload()
	var spent time.Duration
	for i := range upgrades {
		mode := client.Smooth
		if i%2 == 1 {
			mode = client.Fleet
		}
		want := answers.Load() + pause
		d.eventually(ctx, "answers between two upgrades", func() (bool, string) {
			return answers.Load() >= want, fmt.Sprintf("%d too few", want-answers.Load())
		})
		begun := time.Now()
		if outcome, err := d.client.Upgrade(ctx, mode, nil); err != nil {
			t.Fatalf("upgrade %d: %v, %+v", i+1, err, outcome)
		}
		spent += time.Since(begun)
	}
	t.Logf("an upgrade took %v on average", (spent / upgrades).Round(time.Millisecond))
	// What was asked to end last may still lose something.
	d.waitReady(ctx, 3)
	return
}

// webTraffic keeps six clients busy with what is answered at once, and two with
// what is not, so that each worker has a request under way when it is retired.
func webTraffic(ctx context.Context, addr string, answered func()) (tally, error) {
	return webLoad(ctx, addr, answered)
}

// hesitantTraffic has two more clients, which connect and send 20 ms later: a
// server that is retired meanwhile has accepted them and read nothing.
func hesitantTraffic(ctx context.Context, addr string, answered func()) (tally, error) {
	return webLoad(ctx, addr, answered, load.Options{Conns: 2, NewFraction: 1, Rate: 50, Hesitate: 20 * time.Millisecond})
}

func webLoad(ctx context.Context, addr string, answered func(), more ...load.Options) (tally, error) {
	kinds := append([]load.Options{
		{Conns: 6, NewFraction: 0.5, Rate: 300},
		{Conns: 2, NewFraction: 0.5, Rate: 20, Path: "/slow?for=50ms"},
	}, more...)
	results, errs := make([]load.Result, len(kinds)), make([]error, len(kinds))
	var wg sync.WaitGroup
	for i, opts := range kinds {
		opts.Addr, opts.OnAnswer = addr, func([]byte) { answered() }
		opts.Timeout = 30 * time.Second // a machine with too much to do is no loss
		wg.Go(func() { results[i], errs[i] = load.Run(ctx, opts) })
	}
	wg.Wait()
	all := tally{kinds: make(map[load.Kind]int64)}
	var texts []string
	for _, r := range results {
		all.sent += r.Requests
		all.lost += r.Lost
		for kind, n := range r.Kinds {
			all.kinds[kind] += n
		}
		texts = append(texts, r.String())
	}
	all.text = strings.Join(texts, "; ")
	return all, errors.Join(errs...)
}

func webAsk(ctx context.Context, addr string) (body string, err error) {
	r, err := load.Run(ctx, load.Options{
		Addr: addr, Total: 1, NewFraction: 1,
		OnAnswer: func(b []byte) { body = string(b) },
	})
	if err == nil && r.Lost != 0 {
		err = errors.New(r.String())
	}
	return body, err
}
