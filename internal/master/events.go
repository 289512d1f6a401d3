// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"einhyrningsins/internal/control"
	"einhyrningsins/internal/wire"
)

// What is kept of events.
const (
	maxEvents     = 1000
	maxEventBytes = 256 << 10 // of all, encoded
	maxEventText  = 512       // bytes of each text in one
)

// numbersEach is how many numbers of events each master has for its own. One that
// dies takes the events with it, and how many there were: so the next, which knows
// how many masters there were before, begins where that one cannot have come to. It
// would take three years of ten events a second.
const numbersEach = 1_000_000_000

// ring is the last events. Their numbers have no gap: that of the newest is last.
// It is handed from master to master.
type ring struct {
	lines []json.RawMessage // encoded, the oldest first
	bytes int
	last  uint64 // 0: there was none yet
}

func (r *ring) first() uint64 { return r.last + 1 - uint64(len(r.lines)) }

// add takes in the encoded event whose number is last.
func (r *ring) add(line json.RawMessage) {
	r.lines = append(r.lines, line)
	r.bytes += len(line)
	for len(r.lines) > maxEvents || r.bytes > maxEventBytes {
		r.bytes -= len(r.lines[0])
		r.lines[0] = nil // what is behind the slice would be kept
		r.lines = r.lines[1:]
	}
}

// after are the events with higher numbers than this.
func (r *ring) after(number uint64) []json.RawMessage {
	if number >= r.last {
		return nil
	}
	return r.lines[len(r.lines)-int(min(r.last-number, uint64(len(r.lines)))):]
}

// takeOver makes the ring what an earlier master handed over, or begins where none
// of them can have come to.
func (r *ring) takeOver(lines []json.RawMessage, last uint64, masters int) {
	if last == 0 {
		r.last = uint64(masters) * numbersEach
		return
	}
	r.last = last
	if uint64(len(lines)) <= last {
		for _, line := range lines {
			r.add(line)
		}
	}
}

// keepEvent is the reader that answers events: at once those that wait for it,
// and later the others.
func (l *loop) keepEvent(e *event) {
	kept := e.Event
	kept.Text, kept.Reason = cut(kept.Text), cut(kept.Reason)
	line, _ := json.Marshal(kept) // plain data
	l.ring.add(line)
	calls := l.nextEvent
	l.nextEvent = nil
	for _, c := range calls {
		l.answerEvents(c, e.Number-1)
	}
}

func cut(text string) string {
	if len(text) > maxEventText {
		return strings.ToValidUTF8(text[:maxEventText], "") + "…"
	}
	return text
}

// events answers with what happened after a number, or waits until something has.
func (l *loop) events(c *control.Call) *wire.Error {
	args, since := c.Args, uint64(0)
	wait := len(args) > 0 && args[len(args)-1] == wire.EventsWait
	if wait {
		args = args[:len(args)-1]
	}
	if len(args) > 0 {
		n, err := strconv.ParseUint(args[0], 10, 63)
		if err != nil || len(args) > 1 {
			return wire.Errorf(wire.BadRequest, "cannot tell events %q: it takes the number of one, and wait, as in events 17 wait", shorten(strings.Join(args, " ")))
		}
		since = n
	}
	switch {
	case since > l.ring.last:
		return wire.Errorf(wire.Refused, "cannot tell the events after %d: the newest is %d", since, l.ring.last)
	case wait && since == l.ring.last:
		l.awaitEvent(c)
	default:
		l.answerEvents(c, since)
	}
	return nil
}

// awaitEvent keeps a call until something happens. The first line lets its client
// know that we live. The next master takes the call as if it were new.
func (l *loop) awaitEvent(c *control.Call) {
	if n := len(l.nextEvent); n >= 64 && n&(n-1) == 0 {
		l.nextEvent = slices.DeleteFunc(l.nextEvent, func(c *control.Call) bool {
			gone := c.Gone()
			if gone {
				c.Done()
			}
			return gone
		})
	}
	l.nextEvent = append(l.nextEvent, c)
	c.Progress("", nil)
}

func (l *loop) answerEvents(c *control.Call, since uint64) {
	l.answer(func() {
		data := wire.Events[json.RawMessage]{
			PID: l.hello.KeeperPID, First: l.ring.first(), Last: l.ring.last, Events: append([]json.RawMessage{}, l.ring.after(since)...),
		}
		asText := !c.HasID() || c.Dialect == control.Einhorn // which has no data
		message := fmt.Sprintf("Events after number %d: %d; known from number %d on", since, len(data.Events), data.First)
		for _, line := range data.Events {
			var e wire.Event
			if asText && json.Unmarshal(line, &e) == nil {
				message += "\n" + e.String()
			}
		}
		c.Answer(message, data)
	})
}
