// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"einhyrningsins/client"
)

// reload replaces the master many times under load, first alone, then amid
// everything else that can happen, and times it at rest.
func reload(ctx context.Context, e *env, r *row) error {
	times, many := e.scaled(50, 5), e.scaled(250, 25)
	d, err := e.fourWorkers(ctx, 10*time.Millisecond)
	if err != nil {
		return err
	}
	rest, err := d.reloadAlone(ctx, times)
	if err != nil {
		return err
	}
	before, err := d.belongings(ctx)
	if err != nil {
		return err
	}
	opts := full
	opts.Addr = d.addr
	loaded := startLoad(ctx, opts)
	defer loaded.stop()
	busy, err := d.reloadAlone(ctx, many)
	if err != nil {
		return err
	}
	s := storm{d: d, random: rand.New(rand.NewPCG(1, 2))}
	if err := s.rage(ctx, many); err != nil {
		return err
	}
	if err := d.ready(ctx, 4); err != nil {
		return err
	}
	got, err := loaded.stop()
	if err != nil {
		return err
	}
	after, err := d.belongings(ctx)
	if err != nil {
		return err
	}
	r.below("at rest", ms(median(rest)), 30, "ms median", "max "+number(ms(quantile(rest, 1))))
	r.info("under load", ms(median(busy)), "ms median", "max "+number(ms(quantile(busy, 1))))
	r.atMost("lost", float64(got.Lost), 0, "requests", fmt.Sprintf("of %d over %d reloads", got.Requests, 2*many))
	r.atMost("upgrades whose client got no end", float64(s.unended), 0, "clients", fmt.Sprintf("of %d; %d HUPs, %d workers ended", s.upgrades, s.hups, s.ends))
	r.atMost("descriptors more than before", float64(after.files-before.files), 0, "", fmt.Sprintf("%d before", before.files))
	r.atMost("processes more than before", float64(after.children-before.children), 0, "", fmt.Sprintf("%d before", before.children))
	r.info("PSS of both before", mb(before.memory), "MB", "")
	r.info("PSS of both after", mb(after.memory), "MB", "")
	r.how("n=%d at rest; under full load %d with nothing else, where no worker's pid may change, and %d with upgrades,", times, many, many)
	r.how("HUPs and workers that end by themselves at random in between. From the request to its answer, which the new master gives.")
	return nil
}

// reloadAlone reloads n times, and looks that only the master changes.
func (d *daemon) reloadAlone(ctx context.Context, n int) (took []time.Duration, err error) {
	before, err := d.client.Status(ctx)
	if err != nil {
		return nil, err
	}
	for range n {
		begin := time.Now()
		if _, err := d.client.Reload(ctx); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
		after, err := d.client.Status(ctx)
		if err != nil {
			return nil, err
		}
		if err := sameWorkers(before, after); err != nil {
			return nil, err
		}
		if after.MasterPID == before.MasterPID || after.PID != before.PID {
			return nil, fmt.Errorf("keeper %d and master %d became %d and %d", before.PID, before.MasterPID, after.PID, after.MasterPID)
		}
		before = after
	}
	return took, nil
}

// storm is everything that may happen around reloads.
type storm struct {
	d      *daemon
	random *rand.Rand

	upgrades, hups, ends, unended int
}

// rage reloads n times amid the storm.
func (s *storm) rage(ctx context.Context, n int) error {
	outcomes := make(chan error, n)
	for range n {
		switch s.random.IntN(4) {
		case 0:
			s.upgrades++
			go func() { outcomes <- s.upgrade(ctx) }()
		case 1:
			s.hups++
			if err := syscall.Kill(s.d.pid(), syscall.SIGHUP); err != nil {
				return err
			}
		case 2:
			if err := s.endWorker(ctx); err != nil {
				return err
			}
		}
		if err := s.d.pause(ctx, time.Duration(s.random.IntN(30))*time.Millisecond); err != nil {
			return err
		}
		if _, err := s.d.client.Reload(ctx); err != nil {
			return err
		}
	}
	for range s.upgrades {
		if err := <-outcomes; err != nil {
			s.unended++
			fmt.Fprintln(os.Stderr, "bench: an upgrade's client:", err)
		}
	}
	return nil
}

// upgrade waits on a connection of its own for the end of one upgrade, be it
// done, superseded or given up.
func (s *storm) upgrade(ctx context.Context) error {
	c, err := client.Dial(ctx, s.d.sock)
	if err != nil {
		return err
	}
	defer c.Close()
	last, err := c.Upgrade(ctx, client.Smooth, nil)
	var told *client.Error
	if err != nil && !errors.As(err, &told) {
		return fmt.Errorf("cannot see the end of the upgrade to generation %d: %w", last.Generation, err)
	}
	return nil
}

// endWorker has a ready worker end while others are left: gracefully, for what a
// killed one has in hand is lost in any case.
func (s *storm) endWorker(ctx context.Context) error {
	st, err := s.d.client.Status(ctx)
	if err != nil || readyIn(st) < 3 {
		return err
	}
	for _, w := range st.Workers {
		if w.State == "ready" {
			s.ends++
			return syscall.Kill(w.PID, syscall.SIGUSR2)
		}
	}
	return nil
}

// belongings are what keeper and master have.
type belongings struct {
	files, children int
	memory          int64
}

func (d *daemon) belongings(ctx context.Context) (b belongings, err error) {
	st, err := d.client.Status(ctx)
	if err != nil {
		return b, err
	}
	if err := d.pause(ctx, 2*time.Second); err != nil {
		return b, err
	}
	for _, pid := range []int{st.PID, st.MasterPID} {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return b, err
		}
		b.files += len(files)
		memory, err := pssOf(pid)
		if err != nil {
			return b, err
		}
		b.memory += memory
	}
	children, err := childrenOf(st.PID)
	b.children = len(children)
	return b, err
}
