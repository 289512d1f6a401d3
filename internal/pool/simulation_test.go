// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSimulation lets everything go wrong, and checks that what must never
// happen does not; then all goes well, and everything must settle.
func TestSimulation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for range 4 { // worlds are small, rapid's own work is not
			simulate(t, rapid.IntRange(1, 5).Draw(t, "n"), 60)
		}
	})
}

// TestSimulationOf100 is the same for a hundred workers.
func TestSimulationOf100(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if rapid.IntRange(0, 9).Draw(t, "one of ten") == 0 {
			simulate(t, 100, 60)
		}
	})
}

func simulate(t *rapid.T, n, steps int) {
	w := newWorld(t, drawSettings(t), n)
	for range rapid.IntRange(5, steps).Draw(t, "faults") {
		anyFault(t, faults).do(w)
	}
	if rapid.IntRange(0, 3).Draw(t, "end") == 0 {
		for range rapid.IntRange(1, 4).Draw(t, "ends") {
			anyFault(t, ends).do(w)
			for range rapid.IntRange(0, 8).Draw(t, "faults") {
				anyFault(t, faults).do(w)
			}
		}
	}
	w.calm()
	w.checkSettled()
}

// fates are what may become of a worker of a broken program.
var fates = []struct {
	ack   bool
	after Time // it ends after this; 0: never
}{
	{false, time.Millisecond},
	{false, 100 * time.Millisecond},
	{false, 0},
	{true, time.Millisecond},
	{true, 500 * time.Millisecond},
}

// TestBrokenUpgradeEnds upgrades to programs that are broken in all ways at
// once: no worker of theirs outlives its trial. That must come to an end, with
// the good generation whole again; or, when enough of them are ready at one
// moment for the upgrade to be done, with giving up.
func TestBrokenUpgradeEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := drawSettings(t)
		set.AckManual, set.Seconds, set.Retries = true, time.Second, 10
		if set.AckTimeout == 0 {
			set.AckTimeout = time.Second // or one that never ACKs is waited for, as asked
		}
		n := rapid.IntRange(1, 8).Draw(t, "n")
		w := newWorld(t, set, n)
		w.calm()
		w.step(StartUpgrade{Fleet: rapid.Bool().Draw(t, "fleet")})
		w.step(w.k.look(true)...)
		spawnedBefore := w.spawns
		for w.k.ended == nil && w.p.st.Upgrade.Phase == Running {
			w.breakNew()
			if w.spawns-spawnedBefore > 40*n {
				w.fail("the upgrade was tried with %d workers", w.spawns-spawnedBefore)
			}
		}
		if w.p.st.Upgrade.Phase == Aborted {
			w.calm()
			w.checkSettled()
			if w.p.st.Good != 1 {
				w.fail("generation %d is good after an abort", w.p.st.Good)
			}
		}
	})
}

// breakNew lets the next thing happen to the workers of a broken program.
func (w *world) breakNew() {
	for _, s := range w.k.serials(ordered) {
		w.step(w.k.spawn(s, w.now))
	}
	for _, s := range w.k.serials(drains) {
		w.step(w.exitOf(s))
	}
	if w.p.st.Upgrade.Phase != Running {
		return
	}
	next := w.now + time.Hour
	if at, ok := w.p.Deadline(); ok {
		next = at
	}
	for _, s := range w.k.serials(func(r *row) bool { return running(r) && r.Generation > 1 }) {
		r, fate := w.k.rows[s], fates[int(s*2654435761>>8)%len(fates)]
		switch ends := r.StartedAt + fate.after; {
		case fate.ack && w.p.workers[s].Phase == Starting:
			w.step(Acked{s})
			return
		case fate.after > 0 && ends <= w.now:
			w.step(w.exitOf(s))
			return
		case fate.after > 0:
			next = min(next, ends)
		}
	}
	w.now = max(w.now, next)
	w.tick()
}
