// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"einhyrningsins/internal/control"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/wire"
)

// waiter is a client that watches an upgrade.
type waiter struct {
	call       *control.Call
	generation int
}

func (l *loop) upgrade(c *control.Call) *wire.Error {
	fleet := l.cfg.UpgradeFleet
	switch {
	case len(c.Args) > 1:
		return wire.Errorf(wire.BadRequest, "cannot upgrade: it takes at most one word, smooth or fleet")
	case len(c.Args) == 1 && (c.Args[0] == "smooth" || c.Args[0] == "fleet"):
		fleet = c.Args[0] == "fleet"
	case len(c.Args) == 1:
		return wire.Errorf(wire.BadRequest, "cannot upgrade %q: it is either smooth or fleet", shorten(c.Args[0]))
	}
	return l.beginUpgrade(c, fleet)
}

func (l *loop) beginUpgrade(c *control.Call, fleet bool) *wire.Error {
	if l.stopping() {
		return wire.Errorf(wire.Stopping, "cannot upgrade: the master is stopping")
	}
	generation := l.pool.State().Generation + 1
	l.stepThen(func() { l.watch(c, generation) }, pool.StartUpgrade{Fleet: fleet})
	return nil
}

func (l *loop) follow(c *control.Call) *wire.Error {
	st := l.pool.State()
	generation := st.Upgrade.Generation
	if len(c.Args) > 1 {
		return wire.Errorf(wire.BadRequest, "cannot follow: it takes at most one generation, as in follow 3")
	}
	if len(c.Args) == 1 {
		n, err := strconv.Atoi(c.Args[0])
		if err != nil || n < 1 {
			return wire.Errorf(wire.BadRequest, "cannot follow %q: it takes a generation, as in follow 3", shorten(c.Args[0]))
		}
		generation = n
	}
	if st.Upgrade.Phase == pool.Running && generation == st.Upgrade.Generation {
		l.watch(c, generation)
		return nil
	}
	return l.followEnded(c, generation)
}

// rejoin is follow for a client that an earlier master has told the beginning.
func (l *loop) rejoin(c *control.Call, generation int) *wire.Error {
	u := l.pool.State().Upgrade
	if u.Phase == pool.Running && generation == u.Generation {
		l.addWaiter(c, generation)
		return nil
	}
	return l.followEnded(c, generation)
}

// followEnded says how an upgrade ended that does not run any more.
func (l *loop) followEnded(c *control.Call, generation int) *wire.Error {
	st := l.pool.State()
	i := slices.IndexFunc(st.History, func(o pool.Outcome) bool { return o.Generation == generation })
	switch {
	case i >= 0:
		l.conclude(c, st.History[i])
	case generation == 0 || generation > st.Generation || st.Upgrade.Phase == pool.Idle:
		return wire.Errorf(wire.Refused, "cannot follow generation %d: there was no such upgrade; the newest generation is %d", generation, st.Generation)
	default:
		l.conclude(c, pool.Outcome{Generation: generation, Phase: pool.Superseded, Reason: fmt.Sprintf("superseded by generation %d", st.Generation)})
	}
	return nil
}

// watch gives the first line and tells the client everything that follows.
func (l *loop) watch(c *control.Call, generation int) {
	message := fmt.Sprintf("Upgrading to generation %d", generation)
	if !c.HasID() {
		l.ok(c, nil, "%s", message)
		return
	}
	l.addWaiter(c, generation)
	data := l.progress(generation)
	l.answer(func() { c.Progress(message, data) })
}

func (l *loop) addWaiter(c *control.Call, generation int) {
	if len(l.waiters) >= l.pruneAt {
		l.pruneWaiters()
		l.pruneAt = max(2*len(l.waiters), 64)
	}
	c.Carry(carried{Generation: generation})
	l.waiters = append(l.waiters, &waiter{c, generation})
}

func (l *loop) progress(generation int) wire.Progress {
	return wire.Progress{
		Generation: generation, State: wire.UpgradeRunning,
		Ready: l.pool.ReadyOf(generation), Number: l.pool.State().Number,
	}
}

// tellWaiters is the reader that passes events on to clients that watch an upgrade.
func (l *loop) tellWaiters(e *event) {
	if len(l.waiters) == 0 {
		return
	}
	switch pool.Kind(e.Kind) {
	case pool.NoteDone, pool.NoteAborted, pool.NoteSuperseded:
		l.tellOutcome(e.Generation)
	case pool.NoteSpawned:
		l.tellProgress(e, e.Kind, "started")
	case pool.NoteReady:
		l.tellProgress(e, e.Kind, "is ready")
	case pool.NoteRetired, pool.NoteStopped:
		l.tellProgress(e, string(pool.NoteRetired), "was asked to end")
	case pool.NoteFailed:
		l.tellProgress(e, e.Kind, "")
	case pool.NoteWaiting:
		l.tellProgress(e, e.Kind, "")
	case pool.NoteRefused:
		l.tellProgress(e, e.Kind, e.Reason)
	}
}

// tellProgress says what has happened to a worker, or else what the event says.
func (l *loop) tellProgress(e *event, step, happened string) {
	message, index := cmp.Or(e.Reason, e.Text), 0
	if e.Index != nil {
		index = *e.Index
	}
	if happened != "" {
		message = fmt.Sprintf("worker %d of generation %d %s", e.PID, e.Generation, happened)
	}
	l.pruneWaiters()
	for _, w := range l.waiters {
		data := l.progress(w.generation)
		data.Event, data.PID, data.Index = step, e.PID, index
		call, line := w.call, fmt.Sprintf("[%d of %d ready] %s", data.Ready, data.Number, message)
		l.answer(func() { call.Progress(line, data) })
	}
}

// pruneWaiters forgets the clients that are gone.
func (l *loop) pruneWaiters() {
	l.waiters = slices.DeleteFunc(l.waiters, func(w *waiter) bool {
		gone := w.call.Gone()
		if gone {
			w.call.Done()
		}
		return gone
	})
}

func (l *loop) tellOutcome(generation int) {
	history := l.pool.State().History
	i := slices.IndexFunc(history, func(o pool.Outcome) bool { return o.Generation == generation })
	if i < 0 {
		return
	}
	l.waiters = slices.DeleteFunc(l.waiters, func(w *waiter) bool {
		if w.generation == generation {
			l.conclude(w.call, history[i])
		}
		return w.generation == generation
	})
}

// conclude gives the last line.
func (l *loop) conclude(c *control.Call, o pool.Outcome) {
	data := l.progress(o.Generation)
	data.State, data.From = o.Phase.String(), o.From
	from := ""
	if o.From != "" {
		from = ", from " + o.From
	}
	switch {
	case o.Phase == pool.Done:
		l.concludeDone(c, data, fmt.Sprintf("Upgrade done: generation %d serves%s", o.Generation, from))
	default:
		code := wire.Aborted
		switch {
		case o.Phase == pool.Superseded:
			code = wire.Superseded
		case l.stopping():
			code = wire.Stopping
		case o.LookFailed:
			code = wire.LookFailed
		case o.SpawnFailed:
			code = wire.SpawnFailed
		}
		if from != "" {
			from += ","
		}
		text := fmt.Sprintf("the upgrade to generation %d%s was not done: %s", o.Generation, from, o.Reason)
		if data.Stderr = whereWritten(o.FailedPID); data.Stderr != "" {
			data.PID = o.FailedPID
			text += fmt.Sprintf(" (stderr of worker %d: %s)", data.PID, data.Stderr)
		}
		err := &wire.Error{Code: code, Message: text}
		l.answer(func() { c.FailWith(err, data) })
	}
}
