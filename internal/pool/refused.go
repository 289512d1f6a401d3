// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"strings"
	"time"
)

// Refused says that a worker could not be signalled, and Why, for people: it has
// another user by now that is not ours, or the system refuses it for now. "" says that
// it can be again.
type Refused struct {
	Serial uint64
	Why    string
}

// When a signal that was refused is sent again: doubled each time.
const (
	firstRetry   = time.Second
	longestRetry = time.Minute
)

func (e Refused) apply(p *Pool) {
	w := p.workers[e.Serial]
	if w == nil || w.serving() || e.Why == w.Refused {
		return // serving: the signal was for its own sake
	}
	p.change(w, func() {
		w.Refused, w.Left, w.RetryAfter, w.RetryAt = e.Why, false, 0, 0
		if e.Why != "" {
			w.RetryAfter, w.RetryAt = firstRetry, p.now+firstRetry
		}
	})
	if e.Why != "" {
		p.note(Note{Kind: NoteRefused, Worker: *w, Text: fmt.Sprintf("cannot be signalled: %s", w.Refused), Error: true})
	}
}

// retry sends the signal of the worker's phase once more. Since when it is in that
// phase stays.
func (p *Pool) retry(w *Worker) {
	p.change(w, func() {
		w.RetryAfter = min(2*w.RetryAfter, longestRetry)
		w.RetryAt = p.now + w.RetryAfter
	})
	p.do(p.signalOf(w))
}

// leave gives up waiting for a worker that KILL could not be sent to.
func (p *Pool) leave(w *Worker) {
	p.change(w, func() { w.Left = true })
	p.note(Note{Kind: NoteLeft, Worker: *w, Text: w.Refused, Error: true})
}

// refusedDeadline is when something is due for a worker that cannot be signalled: the
// next try, or in a stop the next phase, since one that was not asked need not be
// waited for.
func (p *Pool) refusedDeadline(w *Worker, at Time, ok bool) (Time, bool) {
	if w.Refused == "" || w.serving() {
		return at, ok
	}
	if next, wait := p.givesUpAt(w); wait && (!ok || next < at) {
		at, ok = next, true
	}
	if w.RetryAt != 0 && (!ok || w.RetryAt < at) {
		at, ok = w.RetryAt, true
	}
	return at, ok
}

// givesUpAt is when a stop waits no longer for what a signal that was refused should
// have come to.
func (p *Pool) givesUpAt(w *Worker) (at Time, ok bool) {
	if p.st.Stop.Level == 0 || w.Refused == "" || w.Left || w.serving() {
		return 0, false
	}
	return w.SignalAt + p.set.KillTimeout, true
}

// leftBehind tells, for people, whom the end leaves behind; all is whether that is
// all that there are.
func (p *Pool) leftBehind() (text string, all bool) {
	var pids []string
	for _, w := range p.order {
		if !w.Left {
			return "", false
		}
		pids = append(pids, fmt.Sprint(w.PID))
	}
	if len(pids) > 0 {
		text = fmt.Sprintf("; left behind, since it cannot be signalled (%s): worker %s", p.order[0].Refused, strings.Join(pids, ", "))
	}
	return text, true
}
