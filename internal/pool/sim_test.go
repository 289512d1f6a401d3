// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"strings"
	"time"

	"pgregory.net/rapid"
)

func drawSettings(t *rapid.T) Settings {
	pick := func(name string, from ...Time) Time { return rapid.SampledFrom(from).Draw(t, name) }
	count := func(name string, from ...int) int { return rapid.SampledFrom(from).Draw(t, name) }
	return Settings{
		AckManual:            rapid.Bool().Draw(t, "manual"),
		AckTime:              pick("ack time", 0, time.Second),
		AckTimeout:           pick("ack timeout", 0, 500*time.Millisecond, 30*time.Second),
		Retries:              count("retries", Forever, 1, 3, 10),
		UpgradeRetries:       count("upgrade retries", 1, 3),
		Seconds:              pick("seconds", time.Second, 10*time.Millisecond, 0),
		MaxUnacked:           count("max unacked", 1, 2, 8),
		MaxUpgradeAdditional: count("additional", 0, 1, 2),
		GracefulSignal:       12,
		DrainTimeout:         pick("drain timeout", 0, 5*time.Second),
		KillTimeout:          10 * time.Second,
		SignalTimeout:        pick("signal timeout", 0, 0, 3*time.Second),
		Watchdog:             pick("watchdog", 0, 0, 0, 5*time.Second),
	}
}

// anySettings changes all that may be changed while a pool runs.
func (w *world) anySettings() {
	set := drawSettings(w.t)
	set.AckManual, set.AckTime = w.set.AckManual, w.set.AckTime
	set.Retries, set.UpgradeRetries = w.set.Retries, w.set.UpgradeRetries
	w.set, w.mostUnacked = set, max(w.mostUnacked, set.MaxUnacked)
	w.step(SetSettings{set})
}

// fault is something that happens to a world.
type fault struct {
	name   string
	weight int
	do     func(*world)
}

var faults = []fault{
	{"spawned", 14, (*world).anySpawned},
	{"all spawned", 4, (*world).allSpawned},
	{"spawn fails", 2, (*world).anySpawnFails},
	{"ack", 14, (*world).anyAck},
	{"all ack", 3, (*world).allAck},
	{"exit", 8, (*world).anyExit},
	{"says", 8, func(w *world) { w.step(w.says(w.pickOne(running))...) }},
	{"drained", 6, (*world).anyDrained},
	{"pass", 14, (*world).anyPass},
	{"late", 2, func(w *world) { w.now += 3 * time.Second }},
	{"lie", 2, (*world).anyLie},
	{"immune", 2, func(w *world) {
		if s := w.pickOne(running); s != 0 {
			w.k.rows[s].immune = !w.k.rows[s].immune
		}
	}},
	{"number", 3, func(w *world) { w.step(SetNumber{rapid.IntRange(1, 6).Draw(w.t, "number")}) }},
	{"settings", 2, (*world).anySettings},
	{"upgrade", 3, func(w *world) { w.step(StartUpgrade{Fleet: rapid.Bool().Draw(w.t, "fleet")}) }},
	{"hup", 2, func(w *world) { w.step(StartUpgrade{Fleet: rapid.Bool().Draw(w.t, "fleet"), ByHUP: true}) }},
	{"looked", 5, func(w *world) { w.step(w.k.look(true)...) }},
	{"look fails", 1, func(w *world) { w.step(w.k.look(false)...) }},
	{"restart", 4, func(w *world) { w.restart(true) }},
	{"shadow", 6, (*world).castShadow},
	{"many", 3, (*world).manyAtOnce},
	{"crash", 5, (*world).crash},
}

var ends = []fault{
	{"stop", 1, func(w *world) {
		w.step(StopFor{rapid.SampledFrom([]StopSignal{StopINT, StopTERM, StopUSR2}).Draw(w.t, "stop")})
	}},
	{"quit", 1, func(w *world) { w.step(StopFor{StopQUIT}) }},
	{"die", 1, func(w *world) {
		w.step(Die{rapid.SampledFrom([]Signal{0, 1, 12, SigTerm, SigKill}).Draw(w.t, "signal")})
	}},
	{"rebuild", 1, func(w *world) { w.restart(false) }},
}

func anyFault(t *rapid.T, from []fault) fault {
	total := 0
	for _, f := range from {
		total += f.weight
	}
	i := rapid.IntRange(0, total-1).Draw(t, "fault")
	for _, f := range from {
		if i -= f.weight; i < 0 {
			t.Logf("%s", f.name)
			return f
		}
	}
	panic("unreachable")
}

// pickOne draws one of the rows that f accepts; 0: there is none.
func (w *world) pickOne(f func(*row) bool) uint64 {
	list := w.k.serials(f)
	if len(list) == 0 {
		return 0
	}
	return rapid.SampledFrom(list).Draw(w.t, "serial")
}

func (w *world) anySpawned() {
	if s := w.pickOne(ordered); s != 0 {
		w.step(w.k.spawn(s, w.now))
	}
}

func (w *world) allSpawned() {
	for _, s := range w.k.serials(ordered) {
		w.step(w.k.spawn(s, w.now))
	}
}

func (w *world) anySpawnFails() {
	if s := w.pickOne(ordered); s != 0 {
		shortage := rapid.Bool().Draw(w.t, "shortage")
		w.step(w.k.end(s, SpawnFailed{Serial: s, Shortage: shortage, How: "cannot execute /x"}))
	}
}

func (w *world) anyAck() {
	if s := w.pickOne(running); s != 0 {
		w.step(Acked{s})
	}
}

// says is something that a worker may say of itself.
func (w *world) says(s uint64) []Event {
	if s == 0 {
		return nil
	}
	span := rapid.SampledFrom([]Time{0, 200 * time.Millisecond, 5 * time.Second}).Draw(w.t, "span")
	return []Event{rapid.SampledFrom([]Event{
		Leaving{s}, Alive{s}, Faulty{Serial: s, How: "asked for it"}, Faulty{Serial: s, How: "unheard", Blameless: true}, Watched{s, span}, Extended{s, span}, Said{s, "busy"},
	}).Draw(w.t, "says")}
}

func (w *world) allAck() {
	for _, s := range w.k.serials(running) {
		w.step(Acked{s})
	}
}

func (w *world) exitOf(s uint64) Event {
	return w.k.end(s, Exited{Serial: s, At: w.now, How: "exited with status 1"})
}

func (w *world) anyExit() {
	if s := w.pickOne(running); s != 0 {
		w.step(w.exitOf(s))
	}
}

func drains(r *row) bool { return running(r) && len(r.signals) > 0 }

func (w *world) anyDrained() {
	if s := w.pickOne(drains); s != 0 {
		w.step(w.exitOf(s))
	}
}

func (w *world) anyPass() {
	w.pass(rapid.SampledFrom([]Time{time.Millisecond, 100 * time.Millisecond, time.Second, 5 * time.Second, 40 * time.Second}).Draw(w.t, "time"))
}

// anyLie is an event of a worker that is unknown or in no state for it.
func (w *world) anyLie() {
	s := uint64(rapid.IntRange(0, int(w.k.next)+1).Draw(w.t, "lie"))
	if r := w.k.rows[s]; r == nil || running(r) {
		w.step(Acked{s})
	}
	w.step(Spawned{Serial: w.k.next + 5, PID: 5, At: w.now})
	if g := rapid.IntRange(0, w.p.st.Generation).Draw(w.t, "look"); g != w.k.looks {
		w.step(Looked{Generation: g}, LookFailed{g, "cannot look"}) // of another upgrade, or long answered
	}
}

// manyAtOnce is one step in which several things have happened.
func (w *world) manyAtOnce() { w.step(w.batch()...) }

func (w *world) batch() (events []Event) {
	for _, s := range w.k.serials(func(*row) bool { return true }) {
		r := w.k.rows[s]
		switch what := rapid.IntRange(0, 5).Draw(w.t, "what"); {
		case ordered(r) && what < 3:
			events = append(events, w.k.spawn(s, w.now))
		case running(r) && what == 0:
			events = append(events, w.exitOf(s))
		case running(r) && what < 3:
			events = append(events, Acked{s})
		case running(r) && what < 4:
			events = append(events, w.says(s)...)
		}
	}
	switch rapid.IntRange(0, 5).Draw(w.t, "look") {
	case 0, 1:
		events = append(events, w.k.look(true)...)
	case 2:
		events = append(events, w.k.look(false)...)
	}
	return events
}

// crash lets a master die after it has sent a part of what it had to send.
func (w *world) crash() {
	limit := rapid.IntRange(0, 12).Draw(w.t, "messages")
	switch rapid.IntRange(0, 3).Draw(w.t, "amid") {
	case 0:
		w.stepUntil(limit, Tick{})
	case 1:
		w.stepUntil(limit, StartUpgrade{})
	default:
		w.stepUntil(limit, w.batch()...)
	}
	w.restart(true)
}

// calm lets everything go well until nothing more happens.
func (w *world) calm() {
	for _, r := range w.k.rows {
		r.immune = false
	}
	for range 20000 {
		if w.k.ended != nil {
			return
		}
		events := w.k.look(true)
		for _, s := range w.k.serials(func(*row) bool { return true }) {
			switch r := w.k.rows[s]; {
			case ordered(r):
				events = append(events, w.k.spawn(s, w.now))
			case drains(r), running(r) && w.p.workers[s].Leaving:
				events = append(events, w.exitOf(s))
			case running(r) && w.p.workers[s].serving() && w.p.watchOf(w.p.workers[s]) > 0:
				events = append(events, Watched{s, 0})
			case running(r) && w.set.AckManual && w.p.workers[s].Phase == Starting:
				events = append(events, Acked{s})
			}
		}
		at, due := w.p.Deadline()
		switch {
		case len(events) > 0:
			w.step(events...)
		case due:
			w.now = max(w.now, at)
			w.tick()
		default:
			return
		}
	}
	w.fail("it does not settle")
}

// checkSettled checks what must be so when nothing more happens.
func (w *world) checkSettled() {
	st := w.p.st
	switch {
	case w.k.ended != nil && st.Stop.Level > 0:
		if w.k.ended.Status != 0 && !strings.Contains(w.k.ended.Reason, "left behind") {
			w.fail("a stop ended with %+v", w.k.ended)
		}
	case w.k.ended != nil:
		if w.k.ended.Status != 1 || !w.p.givenUp() {
			w.fail("ended without reason: %+v", w.k.ended)
		}
	case st.Stop.Level > 0:
		w.fail("stopped, but it does not end")
	case st.Upgrade.Phase == Running:
		w.fail("the upgrade does not end")
	}
	if w.k.ended != nil {
		return
	}
	ready := 0
	for _, o := range w.p.Workers() {
		if o.Phase != Ready || o.Generation != st.Good {
			w.fail("worker %d is left", o.Serial)
		}
		ready++
	}
	if ready != st.Number {
		w.fail("%d of %d are ready", ready, st.Number)
	}
}
