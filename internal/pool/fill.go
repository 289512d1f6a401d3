// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// unlimited is as many as are missing.
const unlimited = math.MaxInt

// settleFill keeps the good generation at its number while no upgrade runs.
// Workers of another generation, which an aborted upgrade left, serve until
// replacements are ready.
func (p *Pool) settleFill() {
	good, n := p.st.Good, p.st.Number
	c := p.census(good)
	p.retireSome(c.otherStarting, youngest, func(w *Worker) bool {
		return w.starts() && w.Generation != good
	})
	p.retireSome(min(c.otherReady, c.ready+c.otherReady-n), youngest, func(w *Worker) bool {
		return w.isReady() && w.Generation != good
	})
	p.trim(good)
	if c.ready >= n {
		p.retireSome(c.overdue, youngest, (*Worker).overdue)
	}
	p.fill(n - c.ready - c.starting)
	if p.givenUp() && len(p.workers) == 0 {
		p.out.End = &End{Status: 1, Reason: fmt.Sprintf("no worker is left and %s; the last: %s", failedStarts(p.st.Failures.Count), p.st.LastFailure.Text)}
	}
}

// trim retires what is too much of a generation, unACKed and youngest first.
func (p *Pool) trim(generation int) {
	c := p.census(generation)
	excess := c.ready + c.starting - p.st.Number
	p.retireSome(min(excess, c.starting), youngest, func(w *Worker) bool {
		return w.starts() && w.Generation == generation
	})
	p.retireSome(min(excess-c.starting, c.ready), youngest, func(w *Worker) bool {
		return w.isReady() && w.Generation == generation
	})
}

// fill spawns what is missing of the good generation, or in an upgrade of the
// old ones. Once spawning was given up it tries one at a time, as long as
// somebody serves; an overdue or silent worker may.
func (p *Pool) fill(missing int) {
	failing := p.st.Failures.Count > 0 && !p.grown
	if !p.givenUp() || missing <= 0 {
		p.fillPlaces(&p.st.Vacancies, failing, missing, unlimited, p.st.Good)
		return
	}
	all, try := p.counts.all, p.st.TriedAt+giveUpPause
	switch {
	case all.ready+p.counts.overdue+p.counts.silent == 0 || p.oldStarting() > 0:
		return
	case p.now < try:
		p.spawnLater(try)
		return
	}
	if p.fillPlaces(&p.st.Vacancies, failing, missing, 1, p.st.Good) > 0 {
		p.st.TriedAt = p.now
		p.touchState()
		p.note(Note{Kind: NoteGivenUp, Text: fmt.Sprintf("trying once more, though %s; the last: %s", failedStarts(p.st.Failures.Count), p.st.LastFailure.Text), Error: true})
	}
}

// oldStarting counts the starting workers but those of a running upgrade.
func (p *Pool) oldStarting() int {
	if p.st.Upgrade.Phase != Running {
		return p.counts.all.starting
	}
	return p.census(p.st.Upgrade.Generation).otherStarting
}

// fillPlaces spawns what is missing, at most limit, except in places where it
// is too early, and returns how many. While starts fail, places that have had no
// worker yet wait together with those that have: theirs would most likely fail
// for the same reason, and what is said to have been tried three times would have
// been tried once. In an upgrade the successor of a dead worker is of its generation.
func (p *Pool) fillPlaces(list *[]Vacancy, failing bool, missing, limit, generation int) int {
	early, due, next := p.trimVacancies(list, missing)
	count := min(missing-early, limit)
	if failing && early > 0 {
		count = min(count, due)
	}
	if early > 0 && limit > count {
		p.spawnLater(next)
	}
	if count <= 0 {
		return 0
	}
	p.lacking = true
	if s := &p.st.Shortage; p.now < s.Until {
		p.spawnLater(s.Until)
		return 0
	}
	count = max(min(count, maxInFlight-p.counts.inFlight), 0)
	for range count {
		if g := p.takeVacancy(list); g != 0 && p.st.Upgrade.Phase == Running {
			p.spawn(g)
		} else {
			p.spawn(generation)
		}
	}
	return count
}

// spawnLater sets the time for a place that has to wait.
func (p *Pool) spawnLater(at Time) {
	if p.spawnAt == 0 || at < p.spawnAt {
		p.spawnAt = at
	}
}

// trimVacancies drops the latest of those vacancies that are more than
// missing, and counts those whose time has not come and those whose time has; next
// is the first of the former.
func (p *Pool) trimVacancies(list *[]Vacancy, missing int) (early, due int, next Time) {
	keep := max(missing, 0)
	for i := range *list {
		v := &(*list)[i]
		if v.Places > keep {
			v.Places = keep
			p.touchState()
		}
		keep -= v.Places
		switch {
		case v.NotBefore <= p.now:
			due += v.Places
		case v.Places > 0:
			if early == 0 {
				next = v.NotBefore
			}
			early += v.Places
		}
	}
	*list = slices.DeleteFunc(*list, func(v Vacancy) bool { return v.Places == 0 })
	return early, due, next
}

// takeVacancy takes the first vacancy whose time has come, if there is one,
// and returns the generation of the worker that was there, or 0.
func (p *Pool) takeVacancy(list *[]Vacancy) (generation int) {
	if len(*list) == 0 || (*list)[0].NotBefore > p.now {
		return 0
	}
	v := &(*list)[0]
	generation = v.Generation
	if v.Places--; v.Places == 0 {
		*list = (*list)[1:]
	}
	p.touchState()
	return generation
}

// vacate frees the place of a worker that has ended, or is at fault. It is
// refilled at once unless that was a failed start, however long that took, or the
// worker lived for too short a time. The pause counts from the start, or from the
// end of a life that was longer. Places of one generation
// that have to wait are one vacancy: they are refilled together, when it is
// not too early for any of them, so that what is saved stays small.
func (p *Pool) vacate(w *Worker, at Time, failed bool) {
	list := &p.st.Vacancies
	if p.isNew(w) {
		list = &p.st.Upgrade.Vacancies
	}
	v := Vacancy{Generation: w.Generation, Places: 1}
	if failed || at-w.StartedAt < p.set.Seconds {
		pause := p.backoff(p.streak(w).Count)
		if v.NotBefore = w.StartedAt + pause; v.NotBefore <= at {
			v.NotBefore = at + pause
		}
	}
	same := func(o Vacancy) bool {
		return o.Generation == v.Generation && (o.NotBefore == 0) == (v.NotBefore == 0)
	}
	if i := slices.IndexFunc(*list, same); i >= 0 {
		(*list)[i].Places++
		(*list)[i].NotBefore = max((*list)[i].NotBefore, v.NotBefore)
	} else {
		*list = append(*list, v)
	}
	sort.SliceStable(*list, func(i, j int) bool { return (*list)[i].NotBefore < (*list)[j].NotBefore })
	p.touchState()
}

// backoff is seconds × 1.5^k, at most maxBackoff.
func (p *Pool) backoff(k int) Time {
	d := float64(p.set.Seconds)
	for ; k > 0 && d < float64(maxBackoff); k-- {
		d *= 1.5
	}
	return min(Time(d), maxBackoff)
}

// givenUp tells whether so many starts failed in a row that only single tries
// are left.
func (p *Pool) givenUp() bool {
	return p.set.Retries != Forever && p.st.Failures.Count >= p.set.Retries
}
