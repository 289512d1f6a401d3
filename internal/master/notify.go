// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/notify"
	"einhyrningsins/internal/pool"
)

// lastLook is how long a deadline waits at most for what workers have said
// before it: one that never stops must not hold it up.
const lastLook = 100 * time.Millisecond

// listen reads what a worker says of itself. One that is ready has nothing to
// say on a pipe any more.
func (l *loop) listen(w pool.Worker, ch channel) {
	pipe := ch.kind == link.ChannelReady
	if w.PID == 0 || pipe && w.ReadyAt != 0 || !pipe && ch.kind != link.ChannelNotify {
		unix.Close(ch.fd)
		return
	}
	if err := l.heard.Add(ch.fd, pipe, w.Serial, w.PID); err != nil {
		l.log.Error("a worker cannot be heard", "pid", w.PID, "error", err)
	}
}

// said takes what a worker has said of itself. Who waits for it to be dealt with
// hears so once it is safe with the keeper.
func (l *loop) said(e notify.Event) {
	l.logSaid(e)
	if events := eventsOf(e); len(events) > 0 {
		l.step(events...)
	}
	if e.Ended {
		l.heard.EndPipe(e.Serial)
	}
	l.answer(e.Release)
}

func eventsOf(e notify.Event) (events []pool.Event) {
	if e.Status != nil {
		events = append(events, pool.Said{Serial: e.Serial, Text: *e.Status})
	}
	if e.Watchdog != nil {
		events = append(events, pool.Watched{Serial: e.Serial, Interval: *e.Watchdog})
	}
	if e.Extend > 0 {
		events = append(events, pool.Extended{Serial: e.Serial, By: e.Extend})
	}
	if e.Ready {
		events = append(events, pool.Acked{Serial: e.Serial})
	}
	if e.Alive {
		events = append(events, pool.Alive{Serial: e.Serial})
	}
	if e.Faulty {
		events = append(events, pool.Faulty{Serial: e.Serial, How: "asked for a successor (WATCHDOG=trigger)"})
	}
	if e.Stopping {
		events = append(events, pool.Leaving{Serial: e.Serial})
	}
	return events
}

// unheard finds workers that are about to be silent for too long and may be none
// the less speaking: the path of their socket was removed, as cleaners of old files
// do, or we could not have its descriptor.
func (l *loop) unheard() (events []pool.Event) {
	for _, serial := range l.pool.Suspects() {
		if !l.heard.Reaches(serial) {
			events = append(events, pool.Faulty{Serial: serial, How: "cannot be heard any more: the path of its NOTIFY_SOCKET was removed, or we could have no descriptor for it", Blameless: true})
		}
	}
	return events
}

func (l *loop) logSaid(e notify.Event) {
	if len(e.Others) == 0 && e.Refused.Count == 0 {
		return
	}
	w, _ := l.pool.Worker(e.Serial)
	if len(e.Others) > 0 {
		l.log.Debug("worker said what means nothing here", "pid", w.PID, "what", strings.Join(e.Others, " "))
	}
	switch r := e.Refused; {
	case r.Count == 0:
	case r.PID == 0 && r.UID == 0:
		l.log.Warn("ignored what came to a worker's NOTIFY_SOCKET: it was too long", "worker", w.PID, "datagrams", r.Count)
	default:
		l.log.Warn("ignored what came to a worker's NOTIFY_SOCKET: the sender does not belong to it",
			"worker", w.PID, "datagrams", r.Count, "sender", r.PID, "user", r.UID)
	}
}

// catchUpSaid handles what workers had said of themselves before a deadline.
func (l *loop) catchUpSaid() {
	if l.heard.Idle() {
		return
	}
	late := time.NewTimer(lastLook)
	defer late.Stop()
	for !l.heard.Idle() {
		select {
		case e := <-l.heard.Events():
			l.said(e)
		case <-l.heard.Parked():
		case <-late.C:
			return
		}
	}
}

// stopListening leaves what workers say from now on to the next master.
func (l *loop) stopListening() {
	for _, e := range l.heard.Pause() {
		l.said(e)
	}
}
