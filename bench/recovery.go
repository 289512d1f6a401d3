// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"syscall"
	"time"

	"einhyrningsins/client"
	"einhyrningsins/internal/wire"
)

// recovery times the way from the death of a master to the first answer of
// the next.
func recovery(ctx context.Context, e *env, r *row) error {
	n := e.scaled(40, 4)
	d, err := e.fourWorkers(ctx, 10*time.Millisecond)
	if err != nil {
		return err
	}
	rest, err := d.killMasters(ctx, n)
	if err != nil {
		return err
	}
	opts := pace
	opts.Addr = d.addr
	loaded := startLoad(ctx, opts)
	defer loaded.stop()
	busy, err := d.killMasters(ctx, n)
	if err != nil {
		return err
	}
	got, err := loaded.stop()
	if err != nil {
		return err
	}
	r.below("at rest", ms(median(rest)), 30, "ms median", "")
	r.below("at rest, longest", ms(quantile(rest, 1)), 30, "ms max", "p90 "+number(ms(quantile(rest, 0.9))))
	r.info("under load", ms(median(busy)), "ms median", "max "+number(ms(quantile(busy, 1))))
	r.atMost("lost meanwhile", float64(got.Lost), 0, "requests", fmt.Sprintf("of %d", got.Requests))
	r.how("n=%d at rest and n=%d under %.0f requests/s; from kill(2) to the answer of status with another master's pid,", n, n, pace.Rate)
	r.how("on a connection made after the kill and made again, at once, whenever it breaks. One kill in 300 ms; no worker")
	r.how("changed.")
	return nil
}

// killMasters kills n masters, one after the other.
func (d *daemon) killMasters(ctx context.Context, n int) (took []time.Duration, err error) {
	before, err := d.client.Status(ctx)
	if err != nil {
		return nil, err
	}
	master := before.MasterPID
	for range n {
		if err := d.pause(ctx, 300*time.Millisecond); err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := syscall.Kill(master, syscall.SIGKILL); err != nil {
			return nil, fmt.Errorf("cannot kill master %d: %w", master, err)
		}
		if master, err = d.nextMaster(ctx, master); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	after, err := d.client.Status(ctx)
	if err != nil {
		return nil, err
	}
	if err := sameWorkers(before, after); err != nil {
		return nil, err
	}
	return took, nil
}

// sameWorkers makes sure that no worker came or went.
func sameWorkers(before, after *client.Status) error {
	same := func(a, b client.Worker) bool { return a.PID == b.PID }
	if !slices.EqualFunc(before.Workers, after.Workers, same) {
		return fmt.Errorf("the workers changed: %v, then %v", before.Workers, after.Workers)
	}
	return nil
}

// nextMaster returns the pid of the first master that answers and isn't old.
func (d *daemon) nextMaster(ctx context.Context, old int) (int, error) {
	for {
		pid, err := masterPID(d.sock)
		if err == nil && pid != old {
			return pid, nil
		}
		if ctx.Err() != nil || d.ended() {
			return 0, fmt.Errorf("cannot find the next master: %w: %s", err, d.lastWords())
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func masterPID(sock string) (int, error) {
	a, err := dialControl(sock)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	reply, err := a.ask(wire.StatusCmd)
	if err != nil {
		return 0, err
	}
	var st wire.Status
	err = json.Unmarshal(reply.Data, &st)
	return st.MasterPID, err
}
