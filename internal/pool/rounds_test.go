// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestFailedStartsCountInRounds runs programs that fail, at once or slowly, with
// more workers than may be ordered at a time. No worker is started before a pause
// has passed since the start of each that failed, and all that were seen failing
// did so before; and what is said to have been tried so often was.
func TestFailedStartsCountInRounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := drawSettings(t)
		set.AckManual, set.AckTimeout, set.Seconds = true, 0, time.Second
		set.Retries = rapid.IntRange(1, 5).Draw(t, "retries")
		set.UpgradeRetries = rapid.IntRange(1, 5).Draw(t, "upgrade retries")
		r := rounds{
			world: newWorld(t, set, rapid.SampledFrom([]int{1, 2, 8, 40, 100}).Draw(t, "n")),
			lives: rapid.SampledFrom([][]Time{{0}, {time.Millisecond}, {4 * time.Second}, {40 * time.Second}, {0, time.Second, 5 * time.Second}}).Draw(t, "lives"),
			count: 1, // the first are ordered
		}
		if !rapid.Bool().Draw(t, "upgrade") {
			r.play(func() bool { return r.k.ended != nil || r.p.givenUp() })
			r.check(r.p.st.Failures.Count, set.Retries)
			return
		}
		r.calm()
		r.broken = r.p.next
		r.step(StartUpgrade{Fleet: rapid.Bool().Draw(t, "fleet")})
		r.step(r.k.look(true)...)
		r.play(func() bool { return r.p.st.Upgrade.Phase != Running })
		r.check(r.p.st.Upgrade.Failures.Count, set.UpgradeRetries)
	})
}

// rounds is a world in which starts fail.
type rounds struct {
	*world
	broken uint64 // serials from here on are of the broken program
	lives  []Time

	count    int  // rounds that have begun
	seen     bool // one was since the last round began
	earliest Time // when the next may begin
}

func (r *rounds) play(over func() bool) {
	for range 10000 {
		if over() {
			return
		}
		r.happen()
	}
	r.fail("there is no end of it")
}

// happen lets one thing happen, and looks at what is started because of it.
func (r *rounds) happen() {
	first, ordered := r.p.next, r.k.serials(ordered)
	var ended uint64
	at, due := r.p.Deadline()
	for _, s := range r.k.serials(running) {
		if s < r.broken || r.k.rows[s].Level > LevelNone {
			continue
		}
		end := r.k.rows[s].StartedAt + r.lives[s%uint64(len(r.lives))]
		if end <= r.now {
			ended = s
			break
		}
		if !due || end < at {
			at, due = end, true
		}
	}
	switch {
	case ended != 0 && (len(ordered) == 0 || rapid.Bool().Draw(r.t, "exit first")):
		r.seen, r.earliest = true, max(r.earliest, r.k.rows[ended].StartedAt+r.set.Seconds, r.now+1)
		r.step(r.exitOf(ended))
	case len(ordered) > 0:
		r.step(r.k.spawn(ordered[0], r.now))
	case due:
		r.now = max(r.now, at)
		r.tick()
	default:
		r.fail("nothing happens any more")
	}
	if r.p.next > first && r.p.st.Upgrade.Phase != Aborted {
		if r.now < r.earliest {
			r.fail("worker %d is started before %v", first, r.earliest)
		}
		if r.seen {
			r.count, r.seen = r.count+1, false
		}
	}
}

// check compares what was counted with the rounds that were. While some still
// start, what failed with others before them counts for nothing.
func (r *rounds) check(counted, limit int) {
	if counted != limit || counted > r.count || len(r.lives) == 1 && counted != r.count {
		r.fail("counted %d of %d failed starts in a row, in %d rounds", counted, limit, r.count)
	}
}
