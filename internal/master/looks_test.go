// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"encoding/json"
	"strings"
	"testing"

	"einhyrningsins/internal/link"
)

// readyForUpgrade is a fake keeper whose master has its one worker ready, and a client.
func readyForUpgrade(t *testing.T) (*fakeKeeper, *client) {
	t.Helper()
	k := newFakeKeeper(t)
	k.looks = true
	k.start()
	_, pid := k.spawned()
	c := k.client()
	c.say(`{"command":"worker:ack","pid":%d,"id":0}`, pid)
	c.heard("Acknowledged!")
	return k, c
}

func TestNothingIsSpawnedBeforeTheLookIsAnswered(t *testing.T) {
	k, c := readyForUpgrade(t)
	c.say(`{"command":"upgrade","id":1}`)
	c.heard("Upgrading to generation 2")
	look := expect[*link.Look](k)
	c.silent(k)
	k.conn.Send(&link.LookFailed{Generation: 1, Reason: "of another one"})
	c.say(`{"command":"inc","id":2}`)
	if m := expect[*link.Spawn](k); m.Generation != 1 {
		t.Errorf("during the look a worker of generation %d is spawned", m.Generation)
	}
	c.heard("Went from 1 to 2")
	k.conn.Send(&link.Looked{Launch: link.Launch{Generation: look.Generation, Program: "/srv/2/p"}})
	if m := expect[*link.Spawn](k); m.Generation != 2 {
		t.Errorf("after the look a worker of generation %d is spawned", m.Generation)
	}
	k.conn.Send(&link.LookFailed{Generation: 2, Reason: "too late"})
	c.say(`{"command":"status","id":3}`)
	c.heard(`"state":"running"`)
}

func TestAFailedLookIsToldToWhoWaitsAndLater(t *testing.T) {
	k, c := readyForUpgrade(t)
	other := k.client()
	c.say(`{"command":"upgrade","id":1}`)
	c.heard("Upgrading to generation 2")
	other.say(`{"command":"follow","id":1}`)
	other.heard("Upgrading to generation 2")
	expect[*link.Look](k)
	k.conn.Send(&link.LookFailed{Generation: 2, Reason: "the wrapper is broken\x1b"})
	for _, client := range []*client{c, other} {
		client.heard(`"ok":false,"data":{"generation":2,"state":"aborted","ready":0,"number":1,"index":0},` +
			`"error":{"code":"look_failed","message":"the upgrade to generation 2 was not done: the wrapper is broken\u001b"}`)
	}
	c.say(`{"command":"follow","args":["2"],"id":2}`)
	c.heard(`"code":"look_failed"`)
	save := expect[*link.Save](k)
	for save.Serial != 0 {
		save = expect[*link.Save](k)
	}
	if len(save.Generations) != 1 || save.Generations[0] != 1 {
		t.Errorf("workers of the generations %v may be spawned", save.Generations)
	}
}

func TestTheNextMasterAsksAgain(t *testing.T) {
	k, c := readyForUpgrade(t)
	c.say(`{"command":"upgrade","id":1}`)
	var saved json.RawMessage
	for saved == nil || !strings.Contains(string(saved), `"looking":true`) {
		if m := expect[*link.Save](k); m.Serial == 0 {
			saved = m.Data
		}
	}
	expect[*link.Look](k)
	k.conn.Close()
	<-k.ended

	k.hello.Masters, k.hello.Saved, k.hello.NextSerial = 1, saved, 2
	k.hello.Launches = []link.Launch{{Generation: 1, Program: "/srv/1/p", Directory: "/srv/1"}}
	k.start(link.Child{Serial: 1, Generation: 1, PID: k.pid, ReadyAt: 1})
	if m := expect[*link.Look](k); m.Generation != 2 {
		t.Errorf("it looks for generation %d", m.Generation)
	}
	k.conn.Send(&link.Looked{Launch: link.Launch{Generation: 2, Program: "/srv/2/p", Directory: "/srv/2"}})
	if m := expect[*link.Spawn](k); m.Generation != 2 || m.Serial != 2 {
		t.Errorf("spawned %+v", m)
	}
	c = k.client()
	c.say(`{"command":"status","id":1}`)
	c.heard(`"generations":[{"generation":1,"program":"/srv/1/p","directory":"/srv/1","variables":0,`)
}
