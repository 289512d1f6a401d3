// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"einhyrningsins/bench/drain/fleet"
	"einhyrningsins/bench/load"
	"einhyrningsins/client"
)

// pace is a light load: an open loop at a rate that
// leaves the cores idle most of the time, so that what is seen is waiting for
// workers and not for processors.
var pace = load.Options{Conns: 32, NewFraction: 0.2, Rate: 2000}

// full is the load of the requests measurement, which leaves the cores no rest.
var full = load.Options{Conns: 16, NewFraction: 0.3}

// slice is how long it is at rest, and then upgraded, in turn.
const slice = 2 * time.Second

// disturbed is the part of all processor time, used by others, from which on a
// round counts as disturbed.
const disturbed = 0.1

// latency compares slices at rest with slices of upgrades back to back, in
// turn, so that whatever else the machine does falls on both.
func latency(ctx context.Context, e *env, r *row) error {
	for _, kind := range []struct {
		name   string
		load   load.Options
		rounds int
	}{{"full load", full, e.scaled(10, 3)}, {"light load", pace, e.scaled(30, 3)}} {
		for _, mode := range []client.Mode{client.Smooth, client.Fleet} {
			d, err := e.fourWorkers(ctx, bootTime)
			if err != nil {
				return err
			}
			bare, err := fleet.New([]string{e.bin(goHTTPBin), "-boot", bootTime.String()}, os.Environ())
			if err != nil {
				return err
			}
			defer bare.Close() // again does no harm
			if err := bare.Grow(4); err != nil {
				return err
			}
			c := &contrast{d: d, bare: bare, mode: mode, program: e.bin(goHTTPBin), load: kind.load, label: kind.name + ", " + string(mode)}
			end := time.Now().Add(e.patience)
			for len(c.rounds) < kind.rounds || (c.undisturbed() < kind.rounds && time.Now().Before(end)) {
				if err := c.round(ctx); err != nil {
					return fmt.Errorf("%s: %w", c.label, err)
				}
			}
			c.report(r)
			bare.Close()
			if err := e.endAll(); err != nil {
				return err
			}
		}
	}
	r.how("n=%d rounds or more (full), %d (light) of slices of %v: at rest; upgrades of 4 workers (boot 100 ms) back to back; and starts: the", e.scaled(10, 3), e.scaled(30, 3), slice)
	r.how("same program started and ended at the same pace beside the workers, without any upgrade, which is what the starts")
	r.how("alone cost. Without a manager: workers of the same program on a socket of the benchmark's own, at rest and replaced by the")
	r.how("benchmark itself, as many at a time and as soon as they are ready: what the replacement costs whoever does it; in every second round. Full: %d clients in a closed loop, %.0f %% on new connections. Light:", full.Conns, full.NewFraction*100)
	r.how("open loop of %.0f requests/s by %d clients, %.0f %% on new connections; all slices of a kind merged, then", pace.Rate, pace.Conns, pace.NewFraction*100)
	r.how("the ratio of their p99. Load, workers and starts share the cores. Rounds in which others used more than %.0f %% of the", disturbed*100)
	r.how("processors are left out when at least ten are left.")
	return nil
}

// contrast holds what was seen at rest, during upgrades, and during starts.
type contrast struct {
	d       *daemon
	bare    *fleet.Fleet // the same workers without a manager
	mode    client.Mode
	program string
	load    load.Options
	label   string
	rounds  []round
	lost    int64
}

// round is one slice of each kind.
type round struct {
	rest, busy, starts *load.Histogram
	bareRest, bareBusy *load.Histogram
	upgrades           int
	others             float64 // part of the processors that others used, in the worst of the slices of the daemon
}

func (c *contrast) undisturbed() (n int) {
	for _, p := range c.rounds {
		if p.others <= disturbed {
			n++
		}
	}
	return n
}

func (c *contrast) round(ctx context.Context) error {
	var p round
	for _, kind := range []struct {
		to    **load.Histogram
		again func(context.Context) error
	}{
		{&p.rest, nil},
		{&p.busy, func(ctx context.Context) error {
			_, err := c.d.client.Upgrade(ctx, c.mode, nil)
			p.upgrades++
			return err
		}},
		{&p.starts, c.startFour},
	} {
		got, others, err := c.slice(ctx, kind.again)
		if err != nil {
			return err
		}
		*kind.to, p.others = got.Latency, max(p.others, others)
		c.lost += got.Lost
		if err := c.d.settle(ctx); err != nil {
			return err
		}
	}
	p.bareRest, p.bareBusy = new(load.Histogram), new(load.Histogram)
	for _, kind := range []struct {
		to    **load.Histogram
		again func(context.Context) error
	}{{&p.bareRest, nil}, {&p.bareBusy, c.replaceFour}} {
		if len(c.rounds)%2 == 1 {
			break // it takes as long as the rest, and half of it is enough
		}
		got, _, err := c.sliceOf(ctx, c.bare.Addr(), kind.again)
		if err != nil {
			return err
		}
		*kind.to = got.Latency
		c.lost += got.Lost
		if err := c.bare.WaitDrained(); err != nil {
			return err
		}
	}
	c.rounds = append(c.rounds, p)
	return nil
}

// wave is how many workers an upgrade starts at once.
func (c *contrast) wave() int {
	if c.mode == client.Smooth {
		return min(runtime.NumCPU(), 4)
	}
	return 4
}

// replaceFour replaces the workers that have no manager as an upgrade does those of
// the daemon.
func (c *contrast) replaceFour(context.Context) error {
	for left := 4; left > 0; left -= c.wave() {
		if err := c.bare.Swap(min(c.wave(), left), c.mode == client.Fleet); err != nil {
			return err
		}
	}
	return nil
}

// startFour starts the program four times as an upgrade would, by twos or all
// at once, and ends it as soon as it has booted. No load reaches it.
func (c *contrast) startFour(ctx context.Context) error {
	wave := c.wave()
	for left := 4; left > 0; left -= wave {
		var started []*exec.Cmd
		for range min(wave, left) {
			p := exec.Command(c.program, "-addr", "127.0.0.1:0", "-boot", bootTime.String())
			if err := p.Start(); err != nil {
				return err
			}
			started = append(started, p)
		}
		err := c.d.pause(ctx, bootTime+5*time.Millisecond)
		for _, p := range started {
			p.Process.Signal(syscall.SIGTERM)
			p.Wait()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// slice sends load and does something again and again for a while. others is
// which part of the processors' time was neither ours nor the daemon's.
func (c *contrast) slice(ctx context.Context, again func(context.Context) error) (got load.Result, others float64, err error) {
	return c.sliceOf(ctx, c.d.addr, again)
}

func (c *contrast) sliceOf(ctx context.Context, addr string, again func(context.Context) error) (got load.Result, others float64, err error) {
	opts := c.load
	opts.Addr = addr
	begin, err := c.d.usage()
	if err != nil {
		return got, 0, err
	}
	loaded := startLoad(ctx, opts)
	defer loaded.stop()
	for end := time.Now().Add(slice); time.Now().Before(end); {
		if again != nil {
			err = again(ctx)
		} else {
			err = c.d.pause(ctx, time.Until(end))
		}
		if err != nil {
			return got, 0, err
		}
	}
	if got, err = loaded.stop(); err != nil {
		return got, 0, err
	}
	after, err := c.d.usage()
	if err != nil || after.all == begin.all {
		return got, 0, err
	}
	return got, float64(after.others()-begin.others()) / float64(after.all-begin.all), nil
}

// usage is what the processors have done so far, in ticks.
type usage struct{ all, idle, own int64 }

func (u usage) others() int64 { return u.all - u.idle - u.own }

// usage counts as own this process, keeper, master, and workers past and
// present.
func (d *daemon) usage() (u usage, err error) {
	if u.own, err = ticksOf(os.Getpid(), false); err != nil {
		return u, err
	}
	keeper, err := ticksOf(d.pid(), true)
	if err != nil {
		return u, err
	}
	u.own += keeper
	children, err := childrenOf(d.pid())
	if err != nil {
		return u, err
	}
	for _, pid := range children {
		if n, err := ticksOf(pid, false); err == nil { // it may have ended
			u.own += n
		}
	}
	u.all, u.idle, err = processorTime()
	return u, err
}

func (c *contrast) report(r *row) {
	limit, note := disturbed, ""
	if c.undisturbed() < 10 {
		limit, note = 1, "; NOT enough for a judgement: all were taken"
	}
	rest, busy, starts := new(load.Histogram), new(load.Histogram), new(load.Histogram)
	bareRest, bareBusy := new(load.Histogram), new(load.Histogram)
	var ratios, others []float64
	upgrades := 0
	for _, p := range c.rounds {
		upgrades += p.upgrades
		others = append(others, p.others*100)
		if p.others <= limit {
			rest.Merge(p.rest)
			busy.Merge(p.busy)
			starts.Merge(p.starts)
			bareRest.Merge(p.bareRest)
			bareBusy.Merge(p.bareBusy)
			ratios = append(ratios, float64(p.busy.Quantile(0.99))/float64(p.rest.Quantile(0.99)))
		}
	}
	p99 := func(h *load.Histogram) float64 { return us(h.Quantile(0.99)) }
	label := c.label
	r.atMost(label+": p99 during upgrades / at rest", p99(busy)/p99(rest), 1.3, "",
		fmt.Sprintf("median of the rounds %.2f; %d of %d rounds undisturbed%s", median(ratios), c.undisturbed(), len(c.rounds), note))
	r.info(label+": p99 during starts / at rest", p99(starts)/p99(rest), "", "no upgrade, only as many processes starting and ending")
	r.info(label+": p99 without a manager, replaced / at rest", p99(bareBusy)/p99(bareRest), "", "the same workers, replaced by the benchmark itself")
	r.info(label+": p99 during upgrades / replaced without a manager", p99(busy)/p99(bareBusy), "", "what the manager adds")
	r.info(label+": p99 at rest", p99(rest), "µs", spread(rest))
	r.info(label+": p99 during upgrades", p99(busy), "µs", spread(busy))
	r.info(label+": p99 during starts", p99(starts), "µs", spread(starts))
	r.info(label+": others used", median(others), "% median", fmt.Sprintf("of the processors; max %s %%", number(quantile(others, 1))))
	r.atMost(label+": lost", float64(c.lost), 0, "requests", fmt.Sprintf("%d upgrades, all rounds", upgrades))
}

func spread(h *load.Histogram) string {
	return fmt.Sprintf("p50 %s, p90 %s, p99.9 %s, max %s µs, n=%d", number(us(h.Quantile(0.5))), number(us(h.Quantile(0.9))),
		number(us(h.Quantile(0.999))), number(us(h.Max())), h.Count())
}
