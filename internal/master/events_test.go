// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/wire"
)

// TestEventNumbersHaveNoGap plays masters that hand over and die: numbers only grow,
// those that are known have no gap, and the ring keeps to its bounds.
func TestEventNumbersHaveNoGap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ring
		masters, highest := 0, uint64(0)
		for range rapid.IntRange(1, 30).Draw(t, "turns") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				masters++ // one that failed to take over counts, too
				data, _ := json.Marshal(handedState{Events: r.lines, LastEvent: r.last})
				var state handedState
				if err := json.Unmarshal(data, &state); err != nil {
					t.Fatal(err)
				}
				r = ring{}
				r.takeOver(state.Events, state.LastEvent, masters)
			case 1:
				masters++
				r = ring{}
				r.takeOver(nil, 0, masters)
			default:
				size := rapid.IntRange(0, 3*maxEventText).Draw(t, "size")
				for range rapid.IntRange(1, 700).Draw(t, "events") {
					r.last++
					if r.last <= highest {
						t.Fatalf("event %d came after %d", r.last, highest)
					}
					highest = r.last
					line, _ := json.Marshal(wire.Event{Number: r.last, Text: strings.Repeat("x", size)})
					r.add(line)
				}
			}
			checkRing(t, &r)
		}
	})
}

func checkRing(t *rapid.T, r *ring) {
	total := 0
	for i, line := range r.lines {
		var e wire.Event
		if err := json.Unmarshal(line, &e); err != nil || e.Number != r.first()+uint64(i) {
			t.Fatalf("event %d has number %d: %v", r.first()+uint64(i), e.Number, err)
		}
		total += len(line)
	}
	if total != r.bytes || total > maxEventBytes || len(r.lines) > maxEvents {
		t.Fatalf("%d events of %d bytes, counted as %d", len(r.lines), total, r.bytes)
	}
	since := rapid.Uint64Range(0, r.last+2).Draw(t, "since")
	after := r.after(since)
	if want := int(r.last) - int(max(since, r.first()-1)); len(after) != max(want, 0) {
		t.Fatalf("%d events after %d, known are %d to %d", len(after), since, r.first(), r.last)
	}
}

// eventsOf takes an answer to events.
func (c *client) eventsOf() (data wire.Events[wire.Event]) {
	c.t.Helper()
	r, err := wire.ParseReply([]byte(c.hear()))
	if err == nil && r.Err != nil {
		err = r.Err
	}
	if err == nil {
		err = json.Unmarshal(r.Data, &data)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

func kindsOf(data wire.Events[wire.Event]) (kinds string) {
	for _, e := range data.Events {
		kinds += e.Kind + " "
	}
	return kinds
}

func TestEventsAreKeptOverAReload(t *testing.T) {
	k := newFakeKeeper(t)
	k.start()
	serial, pid := k.spawned()
	c := k.client()
	c.say(`{"command":"worker:ack","pid":%d,"id":1}`, pid)
	c.heard(`"ok":true`)
	c.say(`{"command":"events","id":2}`)
	before := c.eventsOf()
	if got := kindsOf(before); got != "spawned ready " || before.First != 1 || before.Last != 2 {
		t.Fatalf("events %s, %d to %d", got, before.First, before.Last)
	}
	c.say(`{"command":"events","id":3,"args":["2","wait"]}`)
	c.heard(`{"request_id":3,"ok":true,"wait":true}`)
	k.quiesce()
	said, _ := collect[*link.Quiesced](k)
	k.hello.Saved, k.hello.NextSerial = json.RawMessage(`{"number":1,"generation":1,"good":1}`), serial+1
	k.takenOver(said, link.Child{Serial: serial, Generation: 1, PID: pid, StartedAt: link.Now()})
	if got := c.eventsOf(); kindsOf(got) != "took_over " || got.First != 1 || got.Last != 3 {
		t.Errorf("after the reload %s, %d to %d", kindsOf(got), got.First, got.Last)
	}
	c.say(`{"command":"events","id":4,"args":["3","wait"]}`)
	c.heard(`{"request_id":4,"ok":true,"wait":true}`)
	c.say(`{"command":"set_workers","args":["2"],"id":4}`)
	if got := c.eventsOf(); kindsOf(got) != "number " || got.Last != 4 {
		t.Errorf("when the number was changed %s, up to %d", kindsOf(got), got.Last)
	}
	c.heard(`"number":2`)
	c.say(`{"command":"events","id":5}`)
	if got := kindsOf(c.eventsOf()); got != "spawned ready took_over number " {
		t.Errorf("all there was: %s", got)
	}
	for _, bad := range []string{`"x"`, `"-1"`, `"1","2"`, `"wait","1"`, `"1 2"`} {
		c.say(`{"command":"events","id":6,"args":[%s]}`, bad)
		c.heard(`"code":"bad_request"`)
	}
	c.say(`{"command":"events","id":7,"args":["5"]}`)
	c.heard(`"code":"refused","message":"cannot tell the events after 5: the newest is 4"`)
}

// What a master that died has told has a lower number than all that the next tells.
func TestEventNumbersGoOnAfterADeath(t *testing.T) {
	k := newFakeKeeper(t)
	k.hello.Masters = 2
	k.start(link.Child{Serial: 1, Generation: 1, PID: 1 << 28, StartedAt: link.Now()})
	expect[*link.Live](k)
	c := k.client()
	c.say(`{"command":"events","args":["17"],"id":1}`)
	data := c.eventsOf()
	if data.First != 2*numbersEach+1 || !strings.HasPrefix(kindsOf(data), "new_master ") {
		t.Errorf("known from %d on: %s", data.First, kindsOf(data))
	}
}

// TestAWorkerCannotFloodTheEvents: in timer mode an ACK means nothing, however often
// it comes.
func TestAWorkerCannotFloodTheEvents(t *testing.T) {
	k := newFakeKeeper(t)
	k.cfg.AckManual, k.cfg.AckTime = false, patience*100
	k.start()
	_, pid := k.spawned()
	c := k.client()
	for range 3 {
		c.say(`{"command":"worker:ack","pid":%d,"id":1}`, pid)
		c.heard(`"ok":true`)
	}
	c.say(`{"command":"events","id":2}`)
	if got := kindsOf(c.eventsOf()); got != "spawned " {
		t.Errorf("the events are %s", got)
	}
}
