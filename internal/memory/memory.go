// SPDX-License-Identifier: GPL-3.0-or-later

// Package memory keeps keeper and master small: they live for years, and most of
// the time nothing happens. [Tune] lets them collect garbage early; a [Rest]
// gives back to the system what a burst of work has left behind, once it is over:
// garbage, and the pages of the program itself that are not used at rest.
// The runtime by itself would do that slowly and in part.
package memory

import (
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Tune trades a little processor time for memory: the heap may grow by 1 MB in a
// burst of work, not to 4. Less than 25 would do nothing more than to collect
// once right at the start, where it keeps others waiting. Operators may still set
// GOGC or GOMEMLIMIT.
func Tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
}

// The runtime's collector starts with a heap of 1 MB more than what was alive
// when it last ran, whatever GOGC says. So work leaves up to that behind, and
// nothing but more work would ever have it collected.
const (
	much  = 16          // less work than this leaves too little to look for
	quiet = time.Second // without any, and the burst is over
)

// Rest notices the end of a burst of work. Without work nothing wakes up. It is
// one goroutine's; the zero value is ready.
type Rest struct {
	work  atomic.Int64 // since memory was given back
	timer *time.Timer  // nil: nothing was done yet
	free  func()       // for tests; nil: debug.FreeOSMemory
}

// Worked notes that something was done. The first time it ends a start, which
// is much work.
func (r *Rest) Worked() {
	if r.timer == nil {
		r.timer = time.AfterFunc(quiet, r.giveBack)
	} else if r.work.Add(1) >= much {
		r.timer.Reset(quiet)
	}
}

func (r *Rest) giveBack() {
	r.work.Store(0)
	if r.free != nil {
		r.free()
		return
	}
	debug.FreeOSMemory()
	letGoOfProgram()
}
