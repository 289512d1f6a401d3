// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"time"

	"einhyrningsins/client"
)

const bootTime = 100 * time.Millisecond

// upgrade times upgrades that have the machine for themselves, and looks for
// the moment with the fewest ready workers.
func upgrade(ctx context.Context, e *env, r *row) error {
	n, polled := e.scaled(40, 4), e.scaled(20, 2)
	alone, err := bootAlone(ctx, e, n)
	if err != nil {
		return err
	}
	r.info("the program alone: start to first answer", ms(median(alone)), "ms median",
		fmt.Sprintf("max %s ms; its boot sleeps 100 ms", number(ms(quantile(alone, 1)))))
	for _, m := range []struct {
		mode client.Mode
		bar  float64
	}{{client.Smooth, 400}, {client.Fleet, 200}} {
		d, err := e.fourWorkers(ctx, bootTime)
		if err != nil {
			return err
		}
		took, least, err := timeUpgrades(ctx, d, m.mode, n)
		if err != nil {
			return fmt.Errorf("%s: %w", m.mode, err)
		}
		seen, samples, err := pollUpgrades(ctx, d, m.mode, polled)
		if err != nil {
			return fmt.Errorf("%s: %w", m.mode, err)
		}
		label := string(m.mode)
		r.below(label, ms(median(took)), m.bar, "ms median", fmt.Sprintf("min %s, p90 %s, max %s ms; %.2f times the program's own",
			number(ms(quantile(took, 0))), number(ms(quantile(took, 0.9))), number(ms(quantile(took, 1))),
			float64(median(took))/float64(median(alone))))
		r.atLeast(label+": fewest ready, by the progress", float64(least), 4, "workers", fmt.Sprintf("all %d upgrades", n))
		r.atLeast(label+": fewest ready, by status", float64(seen), 4, "workers", fmt.Sprintf("%d looks in %d more upgrades", samples, polled))
		if err := e.endAll(); err != nil {
			return err
		}
	}
	r.how("n=%d for each time: from the command to its last line (\"done\"), by the Go client; all else default", n)
	r.how("(--max-unacked: number of CPUs). Ready workers: counted along the progress stream, and by status")
	r.how("over another connection without a pause.")
	return nil
}

// timeUpgrades returns how long each of n upgrades took and the least number
// of ready workers at any step of their progress.
func timeUpgrades(ctx context.Context, d *daemon, mode client.Mode, n int) (took []time.Duration, least int, err error) {
	st, err := d.client.Status(ctx)
	if err != nil {
		return nil, 0, err
	}
	ready := map[int]bool{}
	for _, w := range st.Workers {
		ready[w.PID] = w.State == "ready"
	}
	least = countTrue(ready)
	step := func(p client.Progress) {
		switch p.Event {
		case "ready":
			ready[p.PID] = true
		case "retired", "failed":
			delete(ready, p.PID)
		}
		least = min(least, countTrue(ready))
	}
	for range n {
		begin := time.Now()
		if _, err := d.client.Upgrade(ctx, mode, step); err != nil {
			return nil, 0, fmt.Errorf("%w; the log ends: %s", err, d.lastWords())
		}
		took = append(took, time.Since(begin))
		if err := d.settle(ctx); err != nil {
			return nil, 0, err
		}
	}
	return took, least, nil
}

// settle waits until the old workers are gone, and then some.
func (d *daemon) settle(ctx context.Context) error {
	if err := d.ready(ctx, 4); err != nil {
		return err
	}
	return d.pause(ctx, 50*time.Millisecond)
}

// pollUpgrades asks for the status all the time during n upgrades, and returns
// the least number of ready workers that was seen, in how many looks.
func pollUpgrades(ctx context.Context, d *daemon, mode client.Mode, n int) (least, samples int, err error) {
	watcher, err := client.Dial(ctx, d.sock)
	if err != nil {
		return 0, 0, err
	}
	defer watcher.Close()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	least = 1 << 30
	go func() {
		for watching.Err() == nil {
			st, err := watcher.Status(ctx)
			if err != nil {
				done <- err
				return
			}
			least = min(least, readyIn(st))
			samples++
		}
		done <- nil
	}()
	for range n {
		if _, err = d.client.Upgrade(ctx, mode, nil); err != nil {
			break
		}
		if err = d.settle(ctx); err != nil {
			break
		}
	}
	stop()
	if watchErr := <-done; err == nil {
		err = watchErr
	}
	return least, samples, err
}

func countTrue(set map[int]bool) (n int) {
	for _, v := range set {
		if v {
			n++
		}
	}
	return n
}
