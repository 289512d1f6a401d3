// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// world is a pool, a keeper and its workers, in a time of their own. Each step
// checks what must never happen.
type world struct {
	t   *rapid.T
	set Settings
	k   *fakeKeeper
	p   *Pool
	now Time

	mostUnacked int // that the settings ever allowed

	stopped bool // the way out has begun
	rebuilt bool // a pool was made without saved state
	spawns  int
	shadow  *Pool // made from what was saved; must decide the same next
}

func newWorld(t *rapid.T, set Settings, number int) *world {
	w := &world{t: t, set: set, k: newFakeKeeper(), now: time.Hour, mostUnacked: set.MaxUnacked}
	w.p = New(set, number, 1)
	w.step(Begun{})
	return w
}

// step lets events happen and carries out what follows.
func (w *world) step(events ...Event) { w.stepUntil(-1, events...) }

// stepUntil is step, but the keeper gets only the first messages of what
// follows; -1 is all.
func (w *world) stepUntil(limit int, events ...Event) {
	if w.k.ended != nil {
		return
	}
	w.t.Helper()
	before := map[uint64]Worker{}
	for _, o := range w.p.Workers() {
		before[o.Serial] = o
	}
	out := w.p.Step(w.now, events...)
	w.checkShadow(out, events)
	w.checkStep(before, out)
	list := messages(out)
	if limit < 0 || limit >= len(list) {
		limit = len(list)
		w.k.ended = out.End
	}
	for _, m := range list[:limit] {
		w.checkSave(m)
		if err := w.k.take(w.now, m); err != nil {
			w.fail("after %v: %v", describe(events), err)
		}
	}
	w.stopped = w.stopped || w.p.st.Stop.Level > 0
	if news := w.k.tell(); len(news) > 0 && limit == len(list) {
		w.step(news...)
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("at %v: %s\nworkers %+v\nstate %+v", w.now, fmt.Sprintf(format, args...), w.p.Workers(), w.p.st)
}

func describe(events []Event) string {
	text := ""
	for _, e := range events {
		text += fmt.Sprintf("%T%+v ", e, e)
	}
	return text
}

// checkStep checks one step's output and what the pool has come to.
func (w *world) checkStep(before map[uint64]Worker, out *Output) {
	st, used, processes, ready := w.p.st, map[int]uint64{}, 0, 0
	retired, startedNew := 0, false
	for _, o := range w.p.Workers() {
		if other, taken := used[o.Index]; taken {
			w.fail("workers %d and %d have the same index", other, o.Serial)
		}
		if _, old := before[o.Serial]; !old {
			for i := range o.Index {
				if _, taken := used[i]; !taken && !slices.ContainsFunc(w.p.Workers(), func(x Worker) bool { return x.Index == i && x.Serial < o.Serial }) {
					w.fail("worker %d has index %d, but %d is free", o.Serial, o.Index, i)
				}
			}
			startedNew = startedNew || st.Upgrade.Phase == Running && o.Generation == st.Upgrade.Generation
			w.spawns++
		}
		used[o.Index] = o.Serial
		if o.Phase == Ready {
			ready++ // a silent one may be serving
		}
		if o.serving() && !o.overdue() && !o.silent() {
			processes++
		}
		if before[o.Serial].Phase == Ready && before[o.Serial].Serial != 0 && o.Phase > Ready && !o.Leaving {
			retired++
		}
	}
	switch {
	case st.Stop.Level > 0:
		if w.stopped && len(w.k.rows) > 0 && w.k.next != w.p.next {
			w.fail("spawned after the stop")
		}
	case retired > 0 && ready < st.Number:
		w.fail("%d ready workers were retired, %d of %d are left", retired, ready, st.Number)
	case processes > 2*st.Number+w.mostUnacked:
		w.fail("%d processes that are not draining for %d wanted", processes, st.Number)
	}
	w.checkAdditional(startedNew)
	w.checkPlaces()
	w.checkCounts()
	if _, left := w.p.leftBehind(); out.End != nil && !left && st.Stop.QuitAt == 0 {
		w.fail("the end, but %d workers are left", len(w.p.workers))
	}
}

// checkAdditional checks --max-upgrade-additional when an upgrade spawned.
func (w *world) checkAdditional(startedNew bool) {
	u, extra := w.p.st.Upgrade, w.set.MaxUpgradeAdditional
	if !startedNew || u.Fleet || extra == 0 {
		return
	}
	all := 0
	for _, o := range w.p.Workers() {
		if !o.overdue() && !o.silent() {
			all++
		}
	}
	if all > w.p.st.Number+extra {
		w.fail("%d processes in an upgrade of %d workers with %d more at most", all, w.p.st.Number, extra)
	}
}

// checkPlaces checks that a place is free for a reason only: nothing can be
// spawned now, or the new generation takes it, next or when some of it is ready.
func (w *world) checkPlaces() {
	u, c := w.p.st.Upgrade, w.p.counts
	if w.p.st.Stop.Level > 0 || w.p.Missing() == 0 || w.p.spawnAt != 0 || c.inFlight >= maxInFlight || w.p.givenUp() {
		return
	}
	if u.Phase == Running {
		own := w.p.census(u.Generation)
		room, limited := w.p.room(own)
		switch {
		case own.starting > 0 && !u.Looking: // more when these are ready
			return
		case u.Looking && u.Left > 0 && (!limited || room > 0):
			return
		case u.FirstAck && limited && room <= 0:
			return
		}
	}
	w.fail("%d places are free for no reason", w.p.Missing())
}

// checkCounts counts all workers anew.
func (w *world) checkCounts() {
	anew := counts{of: map[int]tally{}}
	for _, o := range w.p.workers {
		anew.add(o, 1)
	}
	if diff := cmp.Diff(anew, w.p.counts, cmp.AllowUnexported(counts{}, tally{})); diff != "" {
		w.fail("the counts are wrong: %s", diff)
	}
}

// checkSave checks that a master may die after any message: a worker is not
// given up before its successor's ACK is safe.
func (w *world) checkSave(m any) {
	s, ok := m.(Save)
	if !ok || s.Worker == nil || s.Worker.Phase <= Ready || s.Worker.Leaving || w.p.st.Stop.Level > 0 {
		return
	}
	safe, was := 0, false
	for _, r := range w.k.rows {
		var o Worker
		if r.saved == nil || !running(r) || json.Unmarshal(r.saved, &o) != nil || o.Phase != Ready {
			continue
		}
		if r.Serial == s.Worker.Serial {
			was = true
		} else {
			safe++
		}
	}
	if was && safe < w.p.st.Number {
		w.fail("worker %d is given up when %d of %d are known to be ready", s.Worker.Serial, safe, w.p.st.Number)
	}
}

// tick is a timer that fires; no deadline may be left that has come already.
func (w *world) tick() {
	w.step(Tick{})
	if at, ok := w.p.Deadline(); ok && at <= w.now && w.k.ended == nil {
		w.fail("the deadline %v is not in the future after a tick", at)
	}
}

// pass lets time pass, with a tick at every deadline.
func (w *world) pass(d Time) {
	end := w.now + d
	for range 10000 {
		at, ok := w.p.Deadline()
		if !ok || at > end || w.k.ended != nil {
			w.now = end
			return
		}
		w.now = max(w.now, at)
		w.tick()
	}
	w.fail("ten thousand ticks in %v", d)
}

// restart kills the master and starts another.
func (w *world) restart(trust bool) {
	if w.k.ended != nil {
		return
	}
	p, events, err := w.k.restore(w.set, w.p.st.Number, trust)
	if err != nil {
		w.fail("the next master cannot go on: %v", err)
	}
	w.p, w.shadow = p, nil
	w.rebuilt = w.rebuilt || !trust
	if !trust {
		w.stopped = false // nobody remembers
	}
	w.step(events...)
}

// castShadow makes another pool from what the keeper has now.
func (w *world) castShadow() {
	st := w.p.st
	if at, ok := w.p.Deadline(); w.k.ended != nil || st.Stop.QuitAt != 0 || ok && at <= w.now {
		return
	}
	for _, o := range w.p.Workers() {
		if w.set.AckManual && o.Phase == Starting && !o.Uncertain {
			return // its ACK might be lost with a master, so it is treated better
		}
		if w.p.watchOf(&o) > 0 && o.serving() {
			return // its sign of life likewise
		}
	}
	p, _, err := w.k.restore(w.set, st.Number, true)
	if err != nil {
		w.fail("the next master cannot go on: %v", err)
	}
	out := p.Step(w.now, Begun{})
	acts := slices.DeleteFunc(slices.Clone(out.Actions), func(a Action) bool { _, look := a.(Look); return look })
	if len(acts) > 0 || out.End != nil {
		w.fail("a pool that was made from what was saved has something to do at once: %+v", out.Actions)
	}
	at, ok := w.p.Deadline()
	if at2, ok2 := p.Deadline(); ok != ok2 || at != at2 {
		w.fail("deadline %v %v, but in a pool made from what was saved %v %v", at, ok, at2, ok2)
	}
	w.shadow = p
}

func (w *world) checkShadow(out *Output, events []Event) {
	if w.shadow == nil {
		return
	}
	other := w.shadow.Step(w.now, events...)
	w.shadow = nil
	if diff := cmp.Diff(out.Actions, other.Actions, cmpopts.EquateEmpty()); diff != "" {
		w.fail("a pool made from what was saved acts differently on %s: %s", describe(events), diff)
	}
	if diff := cmp.Diff(out.End, other.End); diff != "" {
		w.fail("a pool made from what was saved ends differently on %s: %s", describe(events), diff)
	}
}
