// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"einhyrningsins/bench/load"
	"einhyrningsins/client"
)

// siege is one way to lose requests, if there is one.
type siege struct {
	label string
	mode  client.Mode
	kills int // masters to kill meanwhile
}

// requests counts lost requests while upgrades follow one another.
func requests(ctx context.Context, e *env, r *row) error {
	upgrades, total := e.scaled(100, 10), int64(e.scaled(1_000_000, 100_000))
	r.how("Each: 4 workers that boot in 100 ms and ACK; upgrades one after the other, at least %d and", upgrades)
	r.how("until %d answers came, by 16 clients in a closed loop, 30 %% of the requests on new connections.", total)
	r.how("Master killed: SIGKILL spread over all upgrades: before one, after its first start, ready, retirement.")
	for _, s := range []siege{
		{"smooth", client.Smooth, 0},
		{"smooth, master killed", client.Smooth, min(10, upgrades)},
		{"fleet", client.Fleet, 0},
		{"fleet, master killed", client.Fleet, min(10, upgrades)},
	} {
		if err := s.lay(ctx, e, r, upgrades, total); err != nil {
			return fmt.Errorf("%s: %w", s.label, err)
		}
		if err := e.endAll(); err != nil {
			return err
		}
	}
	return nil
}

func (s siege) lay(ctx context.Context, e *env, r *row, upgrades int, total int64) error {
	d, err := e.fourWorkers(ctx, 100*time.Millisecond)
	if err != nil {
		return err
	}
	var answers atomic.Int64
	opts := full
	opts.Addr, opts.OnAnswer = d.addr, func([]byte) { answers.Add(1) }
	loaded := startLoad(ctx, opts)
	defer loaded.stop()
	k := &killer{d: d, kills: s.kills, every: upgrades / max(s.kills, 1)}
	count := 0
	for ; count < upgrades || answers.Load() < total; count++ {
		if err := k.upgrade(ctx, s.mode, count); err != nil {
			return fmt.Errorf("upgrade %d: %w", count+1, err)
		}
	}
	if err := d.ready(ctx, 4); err != nil { // what still drains belongs to it
		return err
	}
	got, err := loaded.stop()
	if err != nil {
		return err
	}
	if k.killed != s.kills {
		return fmt.Errorf("killed %d masters instead of %d", k.killed, s.kills)
	}
	note := fmt.Sprintf("%d requests (%d on new connections), %d upgrades, %d masters killed, %d retried, %.0f/s, longest %v",
		got.Requests, got.New, count, k.killed, got.Retried, got.PerSecond(), got.Max().Round(time.Millisecond))
	for _, l := range got.Errors {
		note += "; " + l.String()
	}
	r.atMost("lost, "+s.label, float64(got.Lost), 0, "requests", note)
	return nil
}

// killer upgrades, and kills masters at various moments of the upgrades.
type killer struct {
	d      *daemon
	kills  int
	every  int // a kill in every so many upgrades
	killed int
}

// moments are where in an upgrade the master is killed: before the command,
// and after the first event of each kind.
var moments = []string{"before", "spawned", "ready", "retired"}

func (k *killer) upgrade(ctx context.Context, mode client.Mode, number int) error {
	before, err := k.d.client.Status(ctx)
	if err != nil {
		return err
	}
	moment := ""
	if k.killed < k.kills && number%k.every == 0 {
		moment = moments[k.killed%len(moments)]
	}
	kill := func(now string) {
		if now != "" && now == moment {
			moment = ""
			if syscall.Kill(before.MasterPID, syscall.SIGKILL) == nil {
				k.killed++
			}
		}
	}
	kill("before")
	_, err = k.d.client.Upgrade(ctx, mode, func(p client.Progress) { kill(p.Event) })
	if err != nil {
		return fmt.Errorf("%w; the log ends: %s", err, k.d.lastWords())
	}
	after, err := k.d.client.Status(ctx)
	if err != nil {
		return err
	}
	if after.Generation != before.Generation+1 {
		return fmt.Errorf("generation %d follows %d", after.Generation, before.Generation)
	}
	return nil
}

// underLoad is load under way.
type underLoad struct {
	cancel context.CancelFunc
	done   chan struct{}
	result load.Result
	err    error
}

func startLoad(ctx context.Context, opts load.Options) *underLoad {
	ctx, cancel := context.WithCancel(ctx)
	u := &underLoad{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(u.done)
		u.result, u.err = load.Run(ctx, opts)
	}()
	return u
}

// stop ends the load and returns what became of it. Stopping twice is fine.
func (u *underLoad) stop() (load.Result, error) {
	u.cancel()
	<-u.done
	return u.result, u.err
}
