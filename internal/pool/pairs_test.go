// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

var ofWorkers = pairTest{
	tell: tellWorker,
	states: []namedStage{
		{"ordered", brought(manual, func(*stage) {})},
		{"unwanted", brought(manual, func(s *stage) { s.step(SetNumber{1}) })},
		{"starting", brought(manual, func(s *stage) { s.up(2) })},
		{"starting, timer mode", brought(timed, func(s *stage) { s.up(2) })},
		{"starting, no ACK timeout", brought(patient, func(s *stage) { s.up(2) })},
		{"uncertain", brought(manual, func(s *stage) { s.up(2); s.restart() })},
		{"uncertain, no ACK timeout", brought(patient, func(s *stage) { s.up(2); s.restart() })},
		{"overdue", brought(manual, func(s *stage) { s.up(2); s.restart(); s.tick() })},
		{"on trial", brought(manual, func(s *stage) { s.up(2); s.ack(2) })},
		{"ready", brought(manual, func(s *stage) { s.up(2); s.ack(2); s.now += time.Minute })},
		{"watched", brought(watched, func(s *stage) { s.up(2); s.ack(2); s.tick() })},
		{"silent", brought(watched, func(s *stage) {
			s.up(2)
			s.ack(2)
			s.now += 5 * time.Second
			s.step(Alive{1})
			s.tick()
			s.tick()
		})},
		{"leaving", brought(manual, func(s *stage) { s.up(2); s.ack(2); s.now += time.Minute; s.step(Leaving{2}) })},
		{"draining", brought(manual, drain)},
		{"draining, signal timeout", brought(func(set *Settings) { set.SignalTimeout = 3 * time.Second }, drain)},
		{"stopping", brought(manual, func(s *stage) { drain(s); s.tick() })},
		{"killed", brought(manual, func(s *stage) { drain(s); s.tick(); s.tick() })},
		{"draining, immune", brought(manual, func(s *stage) { drain(s); s.refused() })},
		{"killed, immune", brought(manual, func(s *stage) { drain(s); s.tick(); s.tick(); s.refused() })},
		{"unknown", brought(manual, func(s *stage) { s.serial = 77 })},
	},
	events: []namedEvent{
		{"spawned", func(s *stage) *Output {
			if r := s.k.rows[s.serial]; r != nil {
				return s.step(s.k.spawn(s.serial, s.now))
			}
			return s.step(Spawned{Serial: s.serial, PID: 7, At: s.now})
		}},
		{"cannot be spawned", func(s *stage) *Output { return s.over(SpawnFailed{Serial: s.serial, How: "cannot execute"}) }},
		{"shortage", func(s *stage) *Output {
			return s.over(SpawnFailed{Serial: s.serial, How: "no memory", Shortage: true})
		}},
		{"ACK", func(s *stage) *Output { return s.step(Acked{s.serial}) }},
		{"says that it ends", func(s *stage) *Output { return s.step(Leaving{s.serial}) }},
		{"is alive", func(s *stage) *Output { return s.step(Alive{s.serial}) }},
		{"asks for a successor", func(s *stage) *Output { return s.step(Faulty{Serial: s.serial, How: "asked for it"}) }},
		{"wants to be watched", func(s *stage) *Output { return s.step(Watched{s.serial, time.Second}) }},
		{"needs more time", func(s *stage) *Output { return s.step(Extended{s.serial, time.Hour}) }},
		{"says how it is", func(s *stage) *Output { return s.step(Said{s.serial, "busy"}) }},
		{"cannot be signalled", func(s *stage) *Output { return s.refused() }},
		{"can be signalled again", func(s *stage) *Output { return s.step(Refused{Serial: s.serial}) }},
		{"ends", func(s *stage) *Output { return s.over(Exited{Serial: s.serial, At: s.now}) }},
		{"its time is up", func(s *stage) *Output {
			if w := s.p.workers[s.serial]; w != nil {
				if at, ok := s.p.workerDeadline(w); ok {
					s.now = at
				}
			}
			return s.step(Tick{})
		}},
		{"too many", func(s *stage) *Output { return s.step(SetNumber{1}) }},
		{"upgrade begins", func(s *stage) *Output { return s.step(StartUpgrade{Fleet: true}) }},
		{"upgrade done", (*stage).upgradeDone},
		{"INT", stopBy(StopINT)},
		{"TERM", stopBy(StopTERM)},
		{"third INT", func(s *stage) *Output {
			return s.step(StopFor{StopINT}, StopFor{StopINT}, StopFor{StopINT})
		}},
		{"QUIT", stopBy(StopQUIT)},
		{"die HUP", func(s *stage) *Output { return s.step(Die{1}) }},
		{"settings", func(s *stage) *Output { return s.settings() }},
		{"new master", func(s *stage) *Output { return s.restart() }},
	},
}

// settings makes every timeout a millisecond, a second after all began.
func (s *stage) settings() *Output {
	s.now += time.Second
	set := s.p.set
	for _, d := range []*time.Duration{&set.AckTimeout, &set.DrainTimeout, &set.KillTimeout, &set.SignalTimeout} {
		if *d > 0 {
			*d = time.Millisecond
		}
	}
	return s.step(SetSettings{set}, Tick{})
}

// upgradeDone is a whole fleet upgrade in which all goes well.
func (s *stage) upgradeDone() *Output {
	first := s.p.next
	all := Output{Actions: slices.Clone(s.step(StartUpgrade{Fleet: true}).Actions)}
	all.Actions = append(all.Actions, s.step(s.k.look(true)...).Actions...)
	for i := range uint64(s.p.st.Number) {
		s.up(first + i)
		all.Actions = append(all.Actions, s.ready(first+i).Actions...)
	}
	return &all
}

// refused says that the worker cannot be signalled.
func (s *stage) refused() *Output {
	if r := s.k.rows[s.serial]; r != nil {
		r.immune, r.Refused = true, notPermitted
	}
	return s.step(Refused{s.serial, notPermitted})
}

func drain(s *stage) { s.up(2); s.ack(2); s.step(SetNumber{1}) }

func stopBy(sig StopSignal) func(*stage) *Output {
	return func(s *stage) *Output { return s.step(StopFor{sig}) }
}

// over lets the worker end, also one that has not begun.
func (s *stage) over(how Event) *Output {
	if s.k.rows[s.serial] == nil {
		s.k.rows[s.serial] = &row{} // the keeper knows whom the pool does not
	}
	return s.step(s.k.end(s.serial, how))
}

// ready makes a worker ready that runs.
func (s *stage) ready(serial uint64) *Output {
	if s.p.set.AckManual {
		return s.step(Acked{serial})
	}
	s.now += s.p.set.AckTime
	return s.step(Tick{})
}

// tellWorker tells what becomes of the worker that a stage is about.
func tellWorker(s *stage, do func() *Output) string {
	before := s.state()
	count, places := s.p.st.Failures.Count, s.p.Missing()
	timed, hadTime := s.deadline()
	out := do()
	var tale []string
	if after := s.state(); after != before {
		tale = append(tale, after)
	} else if at, has := s.deadline(); hadTime && has && at > timed {
		tale = append(tale, "more time")
	}
	spawns := 0
	for _, a := range out.Actions {
		switch a := a.(type) {
		case Send:
			if a.Serial == s.serial {
				tale = append(tale, signalNames[a.Signal]+group(a))
			}
		case Forget:
			tale = append(tale, "forgotten")
		case Spawn:
			spawns++
		}
	}
	if k := s.p.st.Failures.Count - count; k != 0 {
		tale = append(tale, fmt.Sprintf("k%+d", k))
	}
	switch {
	case s.p.st.Upgrade.Phase != Idle || s.p.st.Stop.Level > 0:
	case spawns > 0:
		tale = append(tale, "refilled at once")
	case s.p.Missing() > places:
		tale = append(tale, "refilled later")
	}
	if out.End != nil {
		tale = append(tale, "the end")
	}
	return orNothing(tale)
}

// deadline is when the time of the worker is up.
func (s *stage) deadline() (Time, bool) {
	if w := s.p.workers[s.serial]; w != nil {
		return s.p.workerDeadline(w)
	}
	return 0, false
}

func group(a Send) string {
	if a.Group {
		return " to its group"
	}
	return ""
}

func orNothing(tale []string) string {
	if len(tale) == 0 {
		return "nothing"
	}
	return strings.Join(tale, "; ")
}

// state is the state of the worker, in the words of docs/states.md.
func (s *stage) state() string {
	w := s.p.workers[s.serial]
	switch {
	case w == nil:
		return "gone"
	case w.PID == 0 && !w.serving():
		return "unwanted"
	case w.isReady() && s.now-w.ReadyAt < s.p.set.trial():
		return "on trial"
	}
	return stateOf(*w)
}

var ofPools = pairTest{
	tell: tellPool,
	states: []namedStage{
		{"at rest", brought(manual, whole)},
		{"waiting", brought(manual, func(s *stage) { s.up(2); s.exit(2) })},
		{"look", brought(manual, func(s *stage) { whole(s); s.step(StartUpgrade{}) })},
		{"smooth upgrade", brought(manual, func(s *stage) { whole(s); s.upgrade(false); s.up(3, 4); s.ack(3) })},
		{"fleet upgrade", brought(manual, func(s *stage) { whole(s); s.upgrade(true); s.up(3, 4); s.ack(3) })},
		{"leftover", brought(func(set *Settings) { set.UpgradeRetries = 1 }, func(s *stage) {
			whole(s)
			s.upgrade(false)
			s.up(3, 4)
			s.ack(3)
			s.exit(4)
		})},
		{"given up", brought(func(set *Settings) { set.Retries = 1 }, func(s *stage) { s.up(2); s.exit(2) })},
		{"shortage", brought(manual, func(s *stage) { s.over(SpawnFailed{Serial: 2, Shortage: true}) })},
		{"quitting", brought(manual, func(s *stage) { s.step(StopFor{StopQUIT}) })},
		{"retiring", brought(manual, func(s *stage) { whole(s); s.step(StopFor{StopINT}) })},
		{"terminating", brought(manual, func(s *stage) { whole(s); s.step(StopFor{StopTERM}) })},
		{"killing", brought(manual, func(s *stage) { whole(s); s.step(Die{SigKill}) })},
	},
	events: []namedEvent{
		{"inc", func(s *stage) *Output { return s.step(SetNumber{3}) }},
		{"dec", func(s *stage) *Output { return s.step(SetNumber{1}) }},
		{"upgrade", func(s *stage) *Output { return s.step(StartUpgrade{}) }},
		{"upgrade fleet", func(s *stage) *Output { return s.step(StartUpgrade{Fleet: true}) }},
		{"HUP", func(s *stage) *Output { return s.step(StartUpgrade{ByHUP: true}) }},
		{"looked", func(s *stage) *Output { return s.looked(true) }},
		{"look fails", func(s *stage) *Output { return s.looked(false) }},
		{"INT", stopBy(StopINT)},
		{"USR2", stopBy(StopUSR2)},
		{"TERM", stopBy(StopTERM)},
		{"QUIT", stopBy(StopQUIT)},
		{"die", func(s *stage) *Output { return s.step(Die{}) }},
		{"die HUP", func(s *stage) *Output { return s.step(Die{1}) }},
		{"die KILL", func(s *stage) *Output { return s.step(Die{SigKill}) }},
		{"settings", func(s *stage) *Output {
			set := s.p.set
			set.MaxUnacked = 1
			return s.step(SetSettings{set})
		}},
		{"the next deadline", func(s *stage) *Output { return s.tick() }},
		{"a worker ends", func(s *stage) *Output { return s.exit(1) }},
		{"new master", func(s *stage) *Output { return s.restart() }},
	},
}

// looked answers the look that is under way, or else one of an upgrade that is
// past it.
func (s *stage) looked(well bool) *Output {
	if events := s.k.look(well); events != nil {
		return s.step(events...)
	}
	if well {
		return s.step(Looked{Generation: s.p.st.Generation})
	}
	return s.step(LookFailed{s.p.st.Generation, "cannot look"})
}

// whole lets a minute pass with both workers ready.
func whole(s *stage) { s.up(2); s.ack(2); s.now += time.Minute }

// tellPool tells what becomes of the whole.
func tellPool(s *stage, do func() *Output) string {
	before, generation := s.mode(), s.p.st.Generation
	out := do()
	var tale []string
	if after := s.mode(); after != before || s.p.st.Generation != generation {
		tale = append(tale, after)
	}
	count, order := map[string]int{}, []string{}
	for _, a := range out.Actions {
		what := ""
		switch a := a.(type) {
		case Send:
			what = signalNames[a.Signal] + " to"
		case Spawn:
			what = fmt.Sprintf("generation %d: spawn", a.Generation)
		case Look:
			tale = append(tale, fmt.Sprintf("look for generation %d", a.Generation))
		}
		if what != "" && count[what] == 0 {
			order = append(order, what)
		}
		count[what]++
	}
	for _, what := range order {
		tale = append(tale, fmt.Sprintf("%s %d", what, count[what]))
	}
	for _, n := range out.Notes {
		if slices.Contains([]Kind{NoteSuperseded, NoteAborted, NoteAgain}, n.Kind) {
			tale = append(tale, string(n.Kind))
		}
	}
	if out.End != nil {
		tale = append(tale, fmt.Sprintf("the end, status %d", out.End.Status))
	}
	return orNothing(tale)
}

// mode is what the whole is about, in the words of docs/states.md.
func (s *stage) mode() string {
	st := s.p.st
	switch {
	case st.Stop.QuitAt != 0:
		return "quitting"
	case st.Stop.Level > 0:
		return [...]string{LevelRetire: "retiring", LevelTerm: "terminating", LevelKill: "killing"}[st.Stop.Level]
	case st.Upgrade.Phase == Running && st.Upgrade.Looking:
		return "look"
	case st.Upgrade.Phase == Running && st.Upgrade.Fleet:
		return "fleet upgrade"
	case st.Upgrade.Phase == Running:
		return "smooth upgrade"
	case s.p.givenUp():
		return "given up"
	case st.Shortage.Since != 0:
		return "shortage"
	case s.p.census(st.Good).otherReady > 0:
		return "leftover"
	case len(st.Vacancies) > 0:
		return "waiting"
	}
	return "at rest"
}
