// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"einhyrningsins/internal/control"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/wire"
)

// refusedWhy is why a worker cannot be signalled, for people; "": it can.
func refusedWhy(f *link.SignalFailed) string {
	if f == nil || f.Errno == 0 {
		return ""
	}
	return syscall.Errno(f.Errno).Error()
}

// signalFailed takes the keeper's word that a signal could not be sent, or could be
// again. It comes before the answer of whoever asked for that signal is given.
func (l *loop) signalFailed(m *link.SignalFailed) {
	l.noteRefused(m.Serial, m)
	l.step(pool.Refused{Serial: m.Serial, Why: refusedWhy(m)})
}

func (l *loop) noteRefused(serial uint64, f *link.SignalFailed) {
	if why := refusedWhy(f); why != "" {
		l.refused[serial] = why
	} else {
		delete(l.refused, serial)
	}
}

// cannotSignal lists those of the workers that f accepts who cannot be signalled, for
// people and for programs.
func (l *loop) cannotSignal(f func(pool.Worker) bool) (text string, pids []int) {
	var parts []string
	for _, w := range l.pool.Workers() {
		if why := l.refused[w.Serial]; why != "" && f(w) {
			pids = append(pids, w.PID)
			parts = append(parts, fmt.Sprintf("worker %d (%s)", w.PID, why))
		}
	}
	return strings.Join(parts, ", "), pids
}

// concludeDone says that an upgrade was done, and which of the old workers could not be
// asked to end. That is known when the answer is given.
func (l *loop) concludeDone(c *control.Call, data wire.Progress, text string) {
	l.answer(func() {
		var left string
		left, data.CannotSignal = l.cannotSignal(func(w pool.Worker) bool { return w.Generation < data.Generation })
		if left != "" {
			left = "these could not be signalled and go on: " + left
		}
		switch {
		case c.Dialect == control.Einhorn && left != "":
			c.Progress(left, data)
			fallthrough
		case c.Dialect == control.Einhorn:
			c.Answer(einhornDone, nil)
		case left != "":
			c.Answer(text+"; "+left, data)
		default:
			c.Answer(text, data)
		}
	})
}

// answerSignals says how many workers were sent a signal, once that is known.
func (l *loop) answerSignals(c *control.Call, names string, serials []uint64) {
	l.answer(func() {
		left, pids := l.cannotSignal(func(w pool.Worker) bool { return slices.Contains(serials, w.Serial) })
		text := fmt.Sprintf("Sent %s to %d workers", names, len(serials)-len(pids))
		if left != "" {
			text += "; these could not be signalled: " + left
		}
		c.Answer(text, map[string]int{"workers": len(serials) - len(pids)})
	})
}
