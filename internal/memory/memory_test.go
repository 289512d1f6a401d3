// SPDX-License-Identifier: GPL-3.0-or-later

package memory

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// collected counts the times that memory was given back.
func collected(r *Rest) *atomic.Int64 {
	n := new(atomic.Int64)
	r.free = func() { n.Add(1) }
	return n
}

func TestRestWaitsForTheEndOfABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Rest
		n := collected(&r)
		for range 10 * much {
			r.Worked()
			advance(quiet / 2)
		}
		if before := n.Load(); before > 1 { // the first second counts as a start
			t.Fatalf("given back %d times during a burst", before)
		}
		n.Store(0)
		advance(quiet)
		if n.Load() != 1 {
			t.Errorf("given back %d times after a burst", n.Load())
		}
	})
}

func TestRestOfAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Rest
		n := collected(&r)
		advance(time.Hour)
		if n.Load() != 0 {
			t.Fatalf("given back %d times before anything was done", n.Load())
		}
		r.Worked()
		advance(quiet)
		if n.Load() != 1 {
			t.Errorf("given back %d times after a start", n.Load())
		}
	})
}

func TestRestPassesOverALittleWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Rest
		n := collected(&r)
		r.Worked()
		advance(quiet)
		n.Store(0)
		for range much - 1 {
			r.Worked()
			advance(quiet)
		}
		if n.Load() != 0 {
			t.Fatalf("given back %d times after next to nothing", n.Load())
		}
		r.Worked()
		advance(quiet)
		advance(time.Hour)
		if n.Load() != 1 {
			t.Errorf("given back %d times, and then nothing happened for an hour", n.Load())
		}
	})
}

// advance lets time pass, which costs none.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
