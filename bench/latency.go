// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
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

// latency compares slices at rest with slices of upgrades back to back, in
// turn, so that whatever else the machine does falls on both.
func latency(ctx context.Context, e *env, r *row) error {
	pairs := e.scaled(30, 3)
	for _, mode := range []client.Mode{client.Smooth, client.Fleet} {
		d, err := e.fourWorkers(ctx, bootTime)
		if err != nil {
			return err
		}
		c := &contrast{d: d, mode: mode, rest: new(load.Histogram), busy: new(load.Histogram)}
		for range pairs {
			if err := c.pair(ctx); err != nil {
				return fmt.Errorf("%s: %w", mode, err)
			}
		}
		c.report(r)
		if err := e.endAll(); err != nil {
			return err
		}
	}
	r.how("n=%d pairs of slices of %v: at rest, then upgrades of 4 workers (boot 100 ms) back to back; open loop of", pairs, slice)
	r.how("%.0f requests/s by %d clients, %.0f %% on new connections; all slices of a kind merged, then the ratio of", pace.Rate, pace.Conns, pace.NewFraction*100)
	r.how("their p99. Load, workers and their starts share the cores.")
	return nil
}

// contrast holds what was seen at rest and during upgrades.
type contrast struct {
	d          *daemon
	mode       client.Mode
	rest, busy *load.Histogram
	ratios     []float64 // of the p99s, one a pair
	upgrades   int
	lost       int64
}

func (c *contrast) pair(ctx context.Context) error {
	rest, err := c.slice(ctx, nil)
	if err != nil {
		return err
	}
	busy, err := c.slice(ctx, func(ctx context.Context) error {
		_, err := c.d.client.Upgrade(ctx, c.mode, nil)
		c.upgrades++
		return err
	})
	if err != nil {
		return err
	}
	c.lost += rest.Lost + busy.Lost
	c.rest.Merge(rest.Latency)
	c.busy.Merge(busy.Latency)
	c.ratios = append(c.ratios, float64(busy.P99())/float64(rest.P99()))
	return c.d.settle(ctx)
}

// slice sends load and does something again and again for a while.
func (c *contrast) slice(ctx context.Context, again func(context.Context) error) (load.Result, error) {
	opts := pace
	opts.Addr = c.d.addr
	loaded := startLoad(ctx, opts)
	defer loaded.stop()
	for end := time.Now().Add(slice); time.Now().Before(end); {
		var err error
		if again != nil {
			err = again(ctx)
		} else {
			err = c.d.pause(ctx, time.Until(end))
		}
		if err != nil {
			return load.Result{}, err
		}
	}
	return loaded.stop()
}

func (c *contrast) report(r *row) {
	p99rest, p99busy := c.rest.Quantile(0.99), c.busy.Quantile(0.99)
	label := string(c.mode)
	r.atMost(label+": p99 during upgrades / at rest", float64(p99busy)/float64(p99rest), 1.3, "",
		fmt.Sprintf("median of the pairs %.2f; %d upgrades", median(c.ratios), c.upgrades))
	r.info(label+": p99 at rest", us(p99rest), "µs", spread(c.rest))
	r.info(label+": p99 during upgrades", us(p99busy), "µs", spread(c.busy))
	r.atMost(label+": lost", float64(c.lost), 0, "requests", "")
}

func spread(h *load.Histogram) string {
	return fmt.Sprintf("p50 %s, p90 %s, p99.9 %s, max %s µs, n=%d", number(us(h.Quantile(0.5))), number(us(h.Quantile(0.9))),
		number(us(h.Quantile(0.999))), number(us(h.Max())), h.Count())
}
