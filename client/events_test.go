// SPDX-License-Identifier: MIT

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"einhyrningsins/internal/wire"
)

// happenings answers with the events from first to last, of those known from known on.
func happenings(known, first, last uint64) func(*session, wire.Request) bool {
	return func(s *session, r wire.Request) bool {
		ev := Events{First: known, Last: last}
		for n := first; n <= last; n++ {
			ev.Events = append(ev.Events, Event{Number: n, Kind: "ready"})
		}
		data, _ := json.Marshal(ev)
		s.reply(r, wire.Reply{OK: true, Wait: true})
		s.reply(r, wire.Reply{OK: true, Data: data})
		return true
	}
}

func TestFollowEvents(t *testing.T) {
	sc := &script{t: t, lines: []scripted{
		{"events 3 wait", happenings(2, 4, 5)},
		{"events 5 wait", die},
		{"events 5 wait", die},
		{"events 5 wait", die},
		{"status", statusOf(1)},
		{"events 5 wait", happenings(1000, 1000, 1001)},
		{"events 1001 wait", func(s *session, r wire.Request) bool { return s.fail(r, wire.Refused, "because") }},
	}}
	c := connect(t, newFake(t, sc.handle).path)
	var heard string
	err := c.FollowEvents(testContext(t), 3, func(ev *Events) error {
		heard += fmt.Sprint(ev.First, ":")
		for _, e := range ev.Events {
			heard += fmt.Sprint(" ", e.Number)
		}
		heard += "; "
		return nil
	})
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != Refused {
		t.Errorf("the error is %v", err)
	}
	if want := "2: 4 5; 1000: 1000 1001; "; heard != want {
		t.Errorf("heard %q, want %q", heard, want)
	}
	sc.done()
}

func TestFollowEventsEndsWithItsReader(t *testing.T) {
	sc := &script{t: t, lines: []scripted{{"events 0 wait", happenings(1, 1, 1)}, {"events 1", happenings(1, 2, 1)}}}
	c := connect(t, newFake(t, sc.handle).path)
	enough := errors.New("enough")
	if err := c.FollowEvents(testContext(t), 0, func(*Events) error { return enough }); err != enough {
		t.Errorf("the error is %v", err)
	}
	if ev, err := c.Events(testContext(t), 1); err != nil || len(ev.Events) != 0 || ev.Last != 1 {
		t.Errorf("events are %+v, %v", ev, err)
	}
	sc.done()
}
