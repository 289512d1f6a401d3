// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// fakeKeeper is what a pool has to do with: it carries out what a pool asks
// for, remembers what a keeper remembers, and objects to what must never be
// asked for. Tests decide what happens to its workers.
type fakeKeeper struct {
	rows  map[uint64]*row
	next  uint64
	saved []byte
	ended *End

	renewed int
	news    []Event // that some worker cannot be signalled, or can again

	looks    int          // the generation that is looked for; 0: none
	launches map[int]bool // what generations can be started from; false: the look failed
}

// row is one worker in the keeper's table.
type row struct {
	Child
	saved   []byte
	over    Event // how it ended: Exited or SpawnFailed
	signals []Signal
	immune  bool // kill(2) refuses every signal
}

func newFakeKeeper() *fakeKeeper {
	return &fakeKeeper{rows: map[uint64]*row{}, next: 1, launches: map[int]bool{1: true}}
}

// notPermitted is why a worker cannot be signalled.
const notPermitted = "operation not permitted"

// tell returns what the keeper has to tell by itself.
func (k *fakeKeeper) tell() []Event {
	news := k.news
	k.news = nil
	return news
}

// messages is an output as the keeper gets it: one message after the other.
func messages(out *Output) (list []any) {
	for _, s := range out.Saves {
		list = append(list, s)
	}
	for _, a := range out.Actions {
		list = append(list, a)
	}
	return list
}

// take carries out one message.
func (k *fakeKeeper) take(now Time, message any) error {
	switch m := message.(type) {
	case Save:
		return k.save(m)
	case Spawn:
		if m.Serial != k.next {
			return fmt.Errorf("spawn of %d, but the next is %d", m.Serial, k.next)
		}
		if !k.launches[m.Generation] {
			return fmt.Errorf("spawn of generation %d, but there is nothing to start it from: %v", m.Generation, k.launches)
		}
		k.next++
		k.rows[m.Serial] = &row{Child: Child{Serial: m.Serial, Generation: m.Generation, Index: m.Index, OrderedAt: now}}
	case Send:
		return k.signal(now, m)
	case Forget:
		r := k.rows[m.Serial]
		if r == nil || r.over == nil {
			return fmt.Errorf("forget %d, which is unknown, alive, or forgotten already", m.Serial)
		}
		delete(k.rows, m.Serial)
	case Renew:
		k.renewed++
	case Look:
		k.looks = m.Generation
	}
	return nil
}

func (k *fakeKeeper) save(m Save) error {
	if m.Worker == nil {
		if err := m.State.Check(); err != nil {
			return fmt.Errorf("a state was saved that no pool could read: %w", err)
		}
		data, err := json.Marshal(m.State)
		k.saved = data
		maps.DeleteFunc(k.launches, func(g int, _ bool) bool {
			return !slices.Contains(m.Generations, g) && len(k.serials(func(r *row) bool { return r.Generation == g })) == 0
		})
		if !slices.Contains(m.Generations, k.looks) {
			k.looks = 0
		}
		return err
	}
	data, err := json.Marshal(m.Worker)
	if r := k.rows[m.Worker.Serial]; r != nil {
		r.saved, r.ReadyAt = data, m.Worker.ReadyAt
	}
	return err
}

func (k *fakeKeeper) signal(now Time, m Send) error {
	r := k.rows[m.Serial]
	switch {
	case r == nil:
		return fmt.Errorf("signal %d to worker %d, which is unknown or forgotten", m.Signal, m.Serial)
	case r.PID == 0:
		return fmt.Errorf("signal %d to worker %d, which was not spawned yet", m.Signal, m.Serial)
	case m.Level != LevelNone && m.Level <= r.Level && (m.Level < r.Level || r.Refused == ""):
		return fmt.Errorf("signal %d to worker %d at level %d, which it has had", m.Signal, m.Serial, m.Level)
	case m.Group != (m.Level >= LevelTerm):
		return fmt.Errorf("signal %d to worker %d at level %d: group is %v", m.Signal, m.Serial, m.Level, m.Group)
	}
	if r.over != nil {
		return nil // it has ended; the news are on their way
	}
	if r.immune != (r.Refused != "") {
		r.Refused = ""
		if r.immune {
			r.Refused = notPermitted
		}
		k.news = append(k.news, Refused{m.Serial, r.Refused})
	}
	if !r.immune {
		r.signals = append(r.signals, m.Signal)
	}
	if m.Level > r.Level {
		r.Level, r.SignalAt = m.Level, now
	}
	return nil
}

// serials lists the rows that f accepts, in order.
func (k *fakeKeeper) serials(f func(*row) bool) (list []uint64) {
	for s, r := range k.rows {
		if f(r) {
			list = append(list, s)
		}
	}
	slices.Sort(list)
	return list
}

func ordered(r *row) bool { return r.PID == 0 && r.over == nil }
func running(r *row) bool { return r.PID != 0 && r.over == nil }

// spawn lets a worker start.
func (k *fakeKeeper) spawn(serial uint64, at Time) Spawned {
	r := k.rows[serial]
	r.PID, r.StartedAt = 1000+int(serial), at
	return Spawned{Serial: serial, PID: r.PID, At: at}
}

// end lets a worker end.
func (k *fakeKeeper) end(serial uint64, how Event) Event {
	k.rows[serial].over = how
	return how
}

// look ends the look that is under way, if one is. What it found is kept.
func (k *fakeKeeper) look(well bool) []Event {
	g := k.looks
	if g == 0 {
		return nil
	}
	k.looks = 0
	if _, known := k.launches[g]; !known {
		k.launches[g] = well
	}
	if k.launches[g] {
		return []Event{Looked{Generation: g}}
	}
	return []Event{LookFailed{g, "cannot go to /srv: no such directory"}}
}

// restore makes the pool of the next master from what this keeper knows, and
// returns what it has to be told first.
func (k *fakeKeeper) restore(set Settings, number int, trust bool) (*Pool, []Event, error) {
	events := []Event{Begun{}}
	k.news = nil // it is in the rows
	var children []Child
	for _, serial := range k.serials(func(*row) bool { return true }) {
		r := k.rows[serial]
		c := r.Child
		if r.saved != nil {
			c.Saved = &Worker{}
			if err := json.Unmarshal(r.saved, c.Saved); err != nil {
				return nil, nil, err
			}
		}
		children = append(children, c)
		if r.over != nil {
			events = append(events, r.over)
		}
	}
	if !trust {
		intent := Intent{Number: number}
		for g, good := range k.launches {
			if good {
				intent.Generation = max(intent.Generation, g)
			}
		}
		return Rebuild(set, intent, children, k.next), events, nil
	}
	if k.saved == nil {
		return New(set, number, k.next), events, nil
	}
	var st State
	if err := json.Unmarshal(k.saved, &st); err != nil {
		return nil, nil, err
	}
	if err := st.Check(); err != nil {
		return nil, nil, err
	}
	return Restore(set, st, children, k.next), events, nil
}
