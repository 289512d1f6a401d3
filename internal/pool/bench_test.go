// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"testing"
	"time"
)

// life is a pool whose workers all do as they should.
type life struct {
	p       *Pool
	now     Time
	ordered []uint64
	running []uint64
	ended   []uint64
}

func (l *life) step(e Event) {
	for _, a := range l.p.Step(l.now, e).Actions {
		switch a := a.(type) {
		case Spawn:
			l.ordered = append(l.ordered, a.Serial)
		case Send:
			l.ended = append(l.ended, a.Serial)
		case Look:
			defer l.step(Looked{Generation: a.Generation})
		}
	}
	l.p.Deadline()
}

// live answers spawns, ACKs and ends, until nothing more is asked for.
func (l *life) live() {
	for len(l.ordered)+len(l.running)+len(l.ended) > 0 {
		l.now += 10 * time.Microsecond
		switch {
		case len(l.ordered) > 0:
			l.step(Spawned{Serial: l.ordered[0], PID: 1, At: l.now})
			l.running = append(l.running, l.ordered[0])
			l.ordered = l.ordered[1:]
		case len(l.running) > 0:
			l.step(Acked{l.running[0]})
			l.running = l.running[1:]
		default:
			l.step(Exited{Serial: l.ended[0], At: l.now})
			l.ended = l.ended[1:]
		}
	}
}

func startLife(n int, manual bool) *life {
	l := &life{now: time.Hour, p: New(Settings{
		AckManual: manual, AckTime: time.Millisecond, AckTimeout: 30 * time.Second, Retries: 10,
		UpgradeRetries: 3, Seconds: time.Second, MaxUnacked: 2, GracefulSignal: 12, KillTimeout: time.Second,
	}, n, 1)}
	l.step(Begun{})
	l.live()
	for at, ok := l.p.Deadline(); ok; at, ok = l.p.Deadline() {
		l.now = max(l.now, at)
		l.step(Tick{})
	}
	return l
}

func (l *life) check(t testing.TB, generation, n int) {
	t.Helper()
	if ready := l.p.ReadyOf(generation); ready != n || len(l.p.workers) != n {
		t.Fatalf("%d of %d are ready, %d exist", ready, n, len(l.p.workers))
	}
}

// TestManyWorkers starts, upgrades and stops a thousand.
func TestManyWorkers(t *testing.T) {
	const n = 1000
	for _, manual := range []bool{true, false} {
		l := startLife(n, manual)
		l.check(t, 1, n)
		if manual {
			l.step(StartUpgrade{})
			l.live()
			l.check(t, 2, n)
		}
		l.step(StopFor{StopTERM})
		l.live()
		if len(l.p.workers) > 0 || l.p.out.End == nil {
			t.Fatalf("%d workers are left", len(l.p.workers))
		}
	}
}

// TestSpawnsInFlight checks that orders and answers take turns, so that a
// stop does not have to wait for thousands of spawns.
func TestSpawnsInFlight(t *testing.T) {
	p := New(Settings{AckManual: true, AckTimeout: time.Second}, 100, 1)
	p.Step(time.Hour, Begun{})
	if got := len(p.workers); got != maxInFlight {
		t.Fatalf("%d spawns are in flight, expected %d", got, maxInFlight)
	}
	p.Step(time.Hour, Spawned{Serial: 1, PID: 1, At: time.Hour})
	if got := len(p.workers); got != maxInFlight+1 {
		t.Fatalf("%d workers after one answer, expected %d", got, maxInFlight+1)
	}
}

func BenchmarkLife(b *testing.B) {
	for _, n := range []int{4, 1000, 10000} {
		b.Run(fmt.Sprintf("start=%d", n), func(b *testing.B) {
			for b.Loop() {
				startLife(n, true).check(b, 1, n)
			}
		})
		b.Run(fmt.Sprintf("upgrade=%d", n), func(b *testing.B) {
			l, generation := startLife(n, true), 1
			for b.Loop() {
				l.step(StartUpgrade{})
				l.live()
				generation++
				l.check(b, generation, n)
			}
		})
	}
}
