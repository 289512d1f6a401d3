// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import "slices"

// Looked answers a Look: workers of this generation can be spawned, From what, for
// people.
type Looked struct {
	Generation int
	From       string
}

// LookFailed answers a Look that found nothing to start workers from. How says
// why, for people.
type LookFailed struct {
	Generation int
	How        string
}

func (e Looked) apply(p *Pool) {
	if p.looksFor(e.Generation) {
		p.st.Upgrade.Looking, p.st.Upgrade.From = false, e.From
		p.touchState()
	}
}

// A look that failed ends the upgrade before anything was spawned.
func (e LookFailed) apply(p *Pool) {
	if p.looksFor(e.Generation) {
		p.st.Upgrade.LookFailed = true
		p.abort(e.How)
	}
}

// looksFor tells whether the upgrade to this generation waits for its look. The
// answer to any other look comes too late: the upgrade that it was for was
// superseded or given up.
func (p *Pool) looksFor(generation int) bool {
	u := &p.st.Upgrade
	return u.Phase == Running && u.Looking && u.Generation == generation
}

// generations lists, in order, those of which workers may still be spawned: the
// good one, that of a running upgrade, and those of the workers and places that
// an upgrade may have to fill again. No other can join them but by an upgrade.
func (p *Pool) generations() []int {
	list := append(make([]int, 0, 4), p.st.Good)
	if p.st.Upgrade.Phase == Running {
		list = append(list, p.st.Upgrade.Generation)
	}
	for g := range p.counts.of {
		list = append(list, g)
	}
	for _, v := range p.st.Vacancies {
		list = append(list, v.Generation)
	}
	if p.counts.overdue > 0 {
		for _, w := range p.order {
			if w.overdue() {
				list = append(list, w.Generation)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
