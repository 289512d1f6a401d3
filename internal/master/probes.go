// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"cmp"
	"slices"
	"time"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
)

// How often the operator's probe is run (--ack-mode exec and the like): at most once at a
// time for a worker, and for so many of them.
const (
	firstProbe   = 100 * time.Millisecond // after the start, and doubled each time
	slowestProbe = time.Second
	maxProbes    = 8
)

// probing is what is known of a worker that is probed until it is ready.
type probing struct {
	serial  uint64
	next    time.Duration
	pause   time.Duration
	running bool
}

// probe begins to have a worker probed. The keeper knows the command.
func (l *loop) probe(serial uint64, after time.Duration) {
	w, ok := l.pool.Worker(serial)
	if l.cfg.Asks() && ok && w.PID != 0 && w.Phase == pool.Starting {
		l.probes = append(l.probes, &probing{serial: serial, next: link.Now() + after, pause: firstProbe})
	}
}

func (l *loop) endProbe(serial uint64) {
	l.probes = slices.DeleteFunc(l.probes, func(p *probing) bool { return p.serial == serial })
}

// probed takes what came of a probe.
func (l *loop) probed(m *link.Probed) {
	for _, p := range l.probes {
		if p.serial == m.Serial {
			p.running = false
			p.pause = min(2*p.pause, slowestProbe)
			p.next = link.Now() + p.pause
		}
	}
	if m.Ready {
		l.endProbe(m.Serial)
		l.step(pool.Acked{Serial: m.Serial})
	}
	l.runProbes()
}

// runProbes asks for those that are due.
func (l *loop) runProbes() {
	if len(l.probes) == 0 {
		return
	}
	l.probes = slices.DeleteFunc(l.probes, func(p *probing) bool {
		w, ok := l.pool.Worker(p.serial)
		return !ok || w.Phase != pool.Starting // it is ready by other means, or is to end
	})
	slices.SortStableFunc(l.probes, func(a, b *probing) int { return cmp.Compare(a.next, b.next) })
	now, running := link.Now(), l.probesRunning()
	for _, p := range l.probes {
		if !p.running && p.next <= now && running < maxProbes {
			p.running = true
			running++
			l.link.Send(&link.Probe{Serial: p.serial})
		}
	}
}

func (l *loop) probesRunning() (n int) {
	for _, p := range l.probes {
		if p.running {
			n++
		}
	}
	return n
}

// probeAt is when the next one is due; false: none is, or too many run.
func (l *loop) probeAt() (at time.Duration, ok bool) {
	if len(l.probes) == 0 || l.probesRunning() >= maxProbes {
		return 0, false
	}
	for _, p := range l.probes {
		if !p.running && (!ok || p.next < at) {
			at, ok = p.next, true
		}
	}
	return at, ok
}
