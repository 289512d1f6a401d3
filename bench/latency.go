// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"einhyrningsins/bench/load"
	"einhyrningsins/client"
)

// pace is the load of the latency measurement: an open loop at a rate that
// leaves the cores idle most of the time, so that what is seen is waiting for
// workers and not for processors.
var pace = load.Options{Conns: 32, NewFraction: 0.2, Rate: 2000}

// slice is how long it is at rest, and then upgraded, in turn.
const slice = 2 * time.Second

// disturbed is the part of all processor time, used by others, from which on a
// pair of slices counts as disturbed.
const disturbed = 0.1

// latency compares slices at rest with slices of upgrades back to back, in
// turn, so that whatever else the machine does falls on both.
func latency(ctx context.Context, e *env, r *row) error {
	pairs := e.scaled(30, 3)
	for _, mode := range []client.Mode{client.Smooth, client.Fleet} {
		d, err := e.fourWorkers(ctx, bootTime)
		if err != nil {
			return err
		}
		c := &contrast{d: d, mode: mode}
		end := time.Now().Add(e.patience)
		for len(c.pairs) < pairs || (c.undisturbed() < pairs && time.Now().Before(end)) {
			if err := c.pair(ctx); err != nil {
				return fmt.Errorf("%s: %w", mode, err)
			}
		}
		c.report(r)
		if err := e.endAll(); err != nil {
			return err
		}
	}
	r.how("n=%d pairs or more of slices of %v: at rest, then upgrades of 4 workers (boot 100 ms) back to back; open loop", pairs, slice)
	r.how("of %.0f requests/s by %d clients, %.0f %% on new connections; all slices of a kind merged, then the ratio of their", pace.Rate, pace.Conns, pace.NewFraction*100)
	r.how("p99. Load, workers and their starts share the cores. Pairs in which others used more than %.0f %% of the", disturbed*100)
	r.how("processors are left out when at least ten are left.")
	return nil
}

// contrast holds what was seen at rest and during upgrades.
type contrast struct {
	d     *daemon
	mode  client.Mode
	pairs []pair
	lost  int64
}

// pair is a slice at rest and one of upgrades.
type pair struct {
	rest, busy *load.Histogram
	upgrades   int
	others     float64 // part of the processors that others used, the worse of both slices
}

func (c *contrast) undisturbed() (n int) {
	for _, p := range c.pairs {
		if p.others <= disturbed {
			n++
		}
	}
	return n
}

func (c *contrast) pair(ctx context.Context) error {
	var p pair
	rest, others, err := c.slice(ctx, nil)
	if err != nil {
		return err
	}
	p.rest, p.others = rest.Latency, others
	busy, others, err := c.slice(ctx, func(ctx context.Context) error {
		_, err := c.d.client.Upgrade(ctx, c.mode, nil)
		p.upgrades++
		return err
	})
	if err != nil {
		return err
	}
	p.busy, p.others = busy.Latency, max(p.others, others)
	c.lost += rest.Lost + busy.Lost
	c.pairs = append(c.pairs, p)
	return c.d.settle(ctx)
}

// slice sends load and does something again and again for a while. others is
// which part of the processors' time was neither ours nor the daemon's.
func (c *contrast) slice(ctx context.Context, again func(context.Context) error) (got load.Result, others float64, err error) {
	opts := pace
	opts.Addr = c.d.addr
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
	rest, busy := new(load.Histogram), new(load.Histogram)
	var ratios, others []float64
	upgrades := 0
	for _, p := range c.pairs {
		upgrades += p.upgrades
		others = append(others, p.others*100)
		if p.others > limit {
			continue
		}
		rest.Merge(p.rest)
		busy.Merge(p.busy)
		ratios = append(ratios, float64(p.busy.Quantile(0.99))/float64(p.rest.Quantile(0.99)))
	}
	p99rest, p99busy := rest.Quantile(0.99), busy.Quantile(0.99)
	label := string(c.mode)
	r.atMost(label+": p99 during upgrades / at rest", float64(p99busy)/float64(p99rest), 1.3, "",
		fmt.Sprintf("median of the pairs %.2f; %d of %d pairs undisturbed%s", median(ratios), c.undisturbed(), len(c.pairs), note))
	r.info(label+": p99 at rest", us(p99rest), "µs", spread(rest))
	r.info(label+": p99 during upgrades", us(p99busy), "µs", spread(busy))
	r.info(label+": others used", median(others), "% median", fmt.Sprintf("of the processors; max %s %%", number(quantile(others, 1))))
	r.atMost(label+": lost", float64(c.lost), 0, "requests", fmt.Sprintf("%d upgrades, all pairs", upgrades))
}

func spread(h *load.Histogram) string {
	return fmt.Sprintf("p50 %s, p90 %s, p99.9 %s, max %s µs, n=%d", number(us(h.Quantile(0.5))), number(us(h.Quantile(0.9))),
		number(us(h.Quantile(0.999))), number(us(h.Max())), h.Count())
}
