// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"encoding/json"
	"slices"
	"syscall"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
)

// step lets events happen now and carries out what follows.
func (l *loop) step(events ...pool.Event) { l.stepThen(nil, events...) }

// stepThen is step; between the actions and the notes it calls then, for an
// answer that must come before any progress.
func (l *loop) stepThen(then func(), events ...pool.Event) {
	if len(events) == 0 {
		l.forgetCaught()
		return
	}
	out := l.pool.Step(link.Now(), events...)
	for _, s := range out.Saves {
		l.save(s)
	}
	for _, a := range out.Actions {
		l.act(a)
	}
	l.forgetCaught()
	if then != nil {
		then()
	}
	if out.End != nil && l.end == nil {
		l.end = out.End
		if l.cfg.Einhorn && l.pool.State().Stop.QuitAt != 0 {
			l.end.Status = einhornQuit
		}
	}
	notes := slices.Clone(out.Notes)
	for _, n := range notes {
		l.note(n)
	}
}

func (l *loop) save(s pool.Save) {
	m := &link.Save{}
	var v any = s.State
	if s.Worker != nil {
		m.Serial, m.ReadyAt, v = s.Worker.Serial, s.Worker.ReadyAt, s.Worker
	} else {
		m.Signals, l.caught = l.caught, map[int]int{}
		m.Generations, l.kept = s.Generations, s.Generations
		m.Last = s.State.Stop.Level > 0
	}
	data, err := json.Marshal(v)
	if err != nil {
		l.log.Error("cannot save the state", "error", err) // cannot happen: it is plain data
		return
	}
	m.Data = data
	l.link.Send(m)
}

func (l *loop) act(a pool.Action) {
	switch a := a.(type) {
	case pool.Spawn:
		l.link.Send(&link.Spawn{Serial: a.Serial, Generation: a.Generation, Index: a.Index})
	case pool.Send:
		if a.Level == pool.LevelRetire && int(a.Signal) == l.cfg.GracefulSignal {
			l.warnUnhandled(a.Serial, syscall.Signal(a.Signal))
		}
		l.signal(a.Serial, syscall.Signal(a.Signal), a.Group, link.Level(a.Level))
	case pool.Forget:
		l.link.Send(&link.Forget{Serial: a.Serial})
	case pool.Renew:
		l.link.Send(&link.Renew{})
	case pool.Look:
		l.link.Send(&link.Look{Generation: a.Generation})
	}
}

func (l *loop) signal(serial uint64, sig syscall.Signal, group bool, level link.Level) {
	if level > link.LevelNone && !slices.Contains(l.told[serial], sig) {
		l.told[serial] = append(l.told[serial], sig)
	}
	l.ordered++
	l.link.Send(&link.Signal{Number: l.ordered, Serial: serial, Signal: int(sig), Group: group, Level: level})
}

// signalWorkers sends a signal to every worker and returns which there are.
func (l *loop) signalWorkers(sig syscall.Signal) (serials []uint64) {
	for _, w := range l.pool.Workers() {
		if w.PID != 0 {
			l.signal(w.Serial, sig, false, link.LevelNone)
			serials = append(serials, w.Serial)
		}
	}
	return serials
}

// forgetCaught lets the keeper forget the signals that changed no state.
func (l *loop) forgetCaught() {
	for sig, count := range l.caught {
		l.link.Send(&link.Forget{Signal: sig, Count: count})
		delete(l.caught, sig)
	}
}

// heldAnswer waits until the signals that it speaks of were sent.
type heldAnswer struct {
	after uint64
	give  func()
}

// answer gives an answer once all that was decided before it is safe: saved
// with the keeper, and every signal sent.
func (l *loop) answer(give func()) {
	l.held = append(l.held, heldAnswer{l.ordered, give})
	l.release()
}

func (l *loop) release() {
	for len(l.held) > 0 && l.held[0].after <= l.done && !l.link.Pending() {
		give := l.held[0].give
		l.held = l.held[1:]
		give()
	}
}
