// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"time"

	"einhyrningsins/client"
)

// memory looks at keeper and master after they have been at work.
func memory(ctx context.Context, e *env, r *row) error {
	daemons, upgrades := e.scaled(5, 1), e.scaled(40, 4)
	var keepers, masters, both, threads []int64
	for range daemons {
		d, err := e.fourWorkers(ctx, 10*time.Millisecond)
		if err != nil {
			return err
		}
		if err := d.work(ctx, upgrades); err != nil {
			return err
		}
		st, err := d.client.Status(ctx)
		if err != nil {
			return err
		}
		d.disconnect()
		if err := d.pause(ctx, 2*time.Second); err != nil {
			return err
		}
		f, err := look(st)
		if err != nil {
			return err
		}
		keepers, masters = append(keepers, f.keeper), append(masters, f.master)
		both, threads = append(both, f.keeper+f.master), append(threads, f.threads)
		if err := e.endAll(); err != nil {
			return err
		}
	}
	r.info("PSS of the keeper", mb(median(keepers)), "MB", "max "+number(mb(quantile(keepers, 1))))
	r.info("PSS of the master", mb(median(masters)), "MB", "max "+number(mb(quantile(masters, 1))))
	r.below("PSS of both", mb(quantile(both, 1)), 10, "MB max", "median "+number(mb(median(both))))
	r.info("threads of both", float64(median(threads)), "", fmt.Sprintf("max %d", quantile(threads, 1)))
	r.how("n=%d daemons with 4 workers, each after %d upgrades in turn smooth and fleet under full load,", daemons, upgrades)
	r.how("500 commands, and 2 s of rest. smaps_rollup of both processes; 1 MB is 1,000,000 bytes.")
	return nil
}

// work keeps a daemon of four workers busy: upgrades, load, commands.
func (d *daemon) work(ctx context.Context, upgrades int) error {
	opts := pace
	opts.Addr, opts.Rate = d.addr, 0
	loaded := startLoad(ctx, opts)
	defer loaded.stop()
	for i := range upgrades {
		mode := client.Smooth
		if i%2 == 1 {
			mode = client.Fleet
		}
		if _, err := d.client.Upgrade(ctx, mode, nil); err != nil {
			return err
		}
	}
	for range 500 {
		if _, err := d.client.Status(ctx); err != nil {
			return err
		}
	}
	if err := d.ready(ctx, 4); err != nil {
		return err
	}
	_, err := loaded.stop()
	return err
}

// footprint is what keeper and master take: bytes of PSS, and threads (both
// together, and the master's part).
type footprint struct{ keeper, master, threads, ofMaster int64 }

func look(st *client.Status) (f footprint, err error) {
	if f.keeper, err = pssOf(st.PID); err != nil {
		return f, err
	}
	if f.master, err = pssOf(st.MasterPID); err != nil {
		return f, err
	}
	for _, pid := range []int{st.PID, st.MasterPID} {
		n, err := threadsOf(pid)
		if err != nil {
			return f, err
		}
		f.threads += n
		f.ofMaster = n // it comes last
	}
	return f, nil
}

// idle counts how often keeper and master run while nothing happens.
func idle(ctx context.Context, e *env, r *row) error {
	d, err := e.fourWorkers(ctx, 10*time.Millisecond)
	if err != nil {
		return err
	}
	if err := d.work(ctx, 10); err != nil {
		return err
	}
	st, err := d.client.Status(ctx)
	if err != nil {
		return err
	}
	d.disconnect()
	const rest, window = 5 * time.Second, 10 * time.Second
	if err := d.pause(ctx, rest); err != nil {
		return err
	}
	n := e.scaled(5, 1)
	var seen []int64
	for range n {
		count, err := d.wakeUps(ctx, window, st.PID, st.MasterPID)
		if err != nil {
			return err
		}
		seen = append(seen, count)
	}
	r.atMost("wake-ups of keeper and master in 10 s", float64(quantile(seen, 1)), 0, "max", fmt.Sprintf("the windows: %v", seen))
	r.how("n=%d windows of %v, beginning %v after 10 upgrades under load; no client connected. Sum of voluntary and", n, window, rest)
	r.how("involuntary context switches of all threads of both.")
	return nil
}

// wakeUps counts the context switches of some processes during a while.
func (d *daemon) wakeUps(ctx context.Context, window time.Duration, pids ...int) (int64, error) {
	sum := func() (sum int64, err error) {
		for _, pid := range pids {
			n, err := switchesOf(pid)
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	}
	before, err := sum()
	if err != nil {
		return 0, err
	}
	if err := d.pause(ctx, window); err != nil {
		return 0, err
	}
	after, err := sum()
	return after - before, err
}
