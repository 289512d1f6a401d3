// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"log/slog"
	"strings"
	"time"

	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/wire"
)

// event is one thing that happened, made once for all who read of it.
type event struct {
	wire.Event
	level slog.Level
	attrs []slog.Attr // the details in their order and whole, for the log
}

// readers are told of every event, in this order. One more is a file and a line
// here. A reader makes no event and does not wait.
var readers = []func(*loop, *event){
	(*loop).logEvent,
	(*loop).tellWaiters,
	(*loop).keepEvent,
}

// The kinds of what the pool does not know of.
const (
	eventTookOver     = "took_over"     // from a master that handed over
	eventNewMaster    = "new_master"    // in place of one that died
	eventStateLost    = "state_lost"    // what was under way is given up
	eventReloadFailed = "reload_failed" // the master stays
	eventSignal       = "signal"        // the keeper caught one
	eventSignals      = "signals"       // a client had some sent to all workers
	eventSetting      = "setting"       // a client changed one
	eventLooked       = "looked"        // what a generation starts from is known
	eventUnhandled    = "unhandled"     // a worker does not handle the graceful signal
)

// happened makes an event and tells the readers. Number, time and level are its
// own to give.
func (l *loop) happened(level slog.Level, e wire.Event, details ...slog.Attr) {
	e.At, e.Level = time.Now().UTC().Truncate(time.Millisecond), strings.ToLower(level.String())
	for _, d := range details {
		if e.Details == nil {
			e.Details = map[string]string{}
		}
		e.Details[d.Key] = cut(d.Value.String())
	}
	made := &event{e, level, details}
	if e.Kind == string(pool.NoteAckIgnored) {
		l.logEvent(made) // a worker may say it as often as it likes, and nothing follows from it
		return
	}
	l.ring.last++
	made.Number = l.ring.last
	for _, read := range readers {
		read(l, made)
	}
}
