// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
)

// quiesce asks the master to stand still.
func (k *fakeKeeper) quiesce() {
	k.t.Helper()
	from, to, err := link.Stream()
	if err != nil {
		k.t.Fatal(err)
	}
	k.conn.Send(&link.Quiesce{}, from)
	k.stream = to
}

// collect takes all messages up to one of type M.
func collect[M link.Message](k *fakeKeeper) (before []link.Message, last M) {
	k.t.Helper()
	for {
		m := k.receive()
		if last, ok := m.(M); ok {
			return before, last
		}
		before = append(before, m)
	}
}

// nothingSaid checks that no message of the master is on its way.
func (k *fakeKeeper) nothingSaid() {
	k.t.Helper()
	for !k.conn.Idle() {
		select {
		case in := <-k.conn.In():
			k.t.Fatalf("the master said %T %+v", in.Msg, in.Msg)
		case <-k.conn.Parked():
		}
	}
}

// takenOver starts the next master from what the last one saved and hands over.
func (k *fakeKeeper) takenOver(said []link.Message, children ...link.Child) {
	k.t.Helper()
	for _, m := range said {
		s, ok := m.(*link.Save)
		switch {
		case !ok:
		case s.Serial == 0:
			k.hello.Saved = s.Data
		default:
			for i := range children {
				if children[i].Serial == s.Serial {
					children[i].Saved, children[i].ReadyAt = s.Data, s.ReadyAt
				}
			}
		}
	}
	k.hello.Masters++
	old, ended := k.conn, k.ended
	k.start(children...)
	expect[*link.Live](k)
	old.Close()
	if err := <-ended; err != nil {
		k.t.Errorf("the old master ended with %v", err)
	}
}

func TestStandsStillOnlyWhenEveryAnswerIsOut(t *testing.T) {
	k := newFakeKeeper(t)
	serial, _ := ready(k)
	c := k.client()
	c.say(`{"command":"signal","args":["usr1"],"id":7}`)
	signal := expect[*link.Signal](k)
	if signal.Serial != serial {
		t.Fatalf("the signal goes to worker %d, want %d", signal.Serial, serial)
	}
	k.quiesce()
	k.conn.Send(&link.Signalled{Signal: int(unix.SIGUSR1), Count: 1}) // is dealt with as ever
	if next := expect[*link.Signal](k); next.Number != signal.Number+1 {
		t.Errorf("the next signal has number %d, want %d", next.Number, signal.Number+1)
	}
	c.nothing()
	before, _ := collect[*link.Forget](k)
	for _, m := range before {
		if _, ok := m.(*link.Quiesced); ok {
			t.Error("it stands still though it owes an answer")
		}
	}
	k.conn.Send(&link.Done{Through: signal.Number + 1})
	if q := expect[*link.Quiesced](k); q.Failure != "" {
		t.Errorf("it cannot hand over: %s", q.Failure)
	}
	c.heard("Sent USR1 to 1 workers")
}

func TestWhatComesWhileStandingStillWaits(t *testing.T) {
	k := newFakeKeeper(t)
	serial, pid := ready(k)
	c := k.client()
	k.quiesce()
	expect[*link.Quiesced](k)
	c.say(`{"command":"inc","id":1}`)
	k.conn.Send(&link.Exited{Serial: serial, PID: pid, Code: 3, At: link.Now()})
	k.conn.Send(&link.Signalled{Signal: int(unix.SIGHUP), Count: 1})
	k.conn.Send(&link.ReloadFailed{Reason: "no"})
	k.conn.Send(&link.Quiesce{}, k.stream) // one that comes right behind
	said, forget := collect[*link.Forget](k)
	if forget.Serial != serial {
		t.Errorf("it forgets worker %d, want %d", forget.Serial, serial)
	}
	for _, m := range said {
		if _, ok := m.(*link.Quiesced); ok {
			t.Error("it stands still again, with news not dealt with")
		}
	}
	expect[*link.Quiesced](k)
	k.conn.Send(&link.ReloadFailed{Reason: "no"})
	c.heard(`"request_id":1,"ok":true,"message":"Spawned! Went from 1 to 2"`)
}

func TestReloadThatFailsIsToldToWhoAsked(t *testing.T) {
	k := newFakeKeeper(t)
	ready(k)
	c, d := k.client(), k.client()
	c.say(`{"command":"reload","id":1}`)
	expect[*link.Reload](k)
	d.say(`{"command":"reload"}`)
	d.say(`{"command":"version","id":2}`)
	d.heard(`"request_id":2`) // so the one before was taken, and is not answered yet
	k.conn.Send(&link.ReloadFailed{Reason: "the binary is gone"})
	c.heard(`"request_id":1,"ok":false,"error":{"code":"reload_failed","message":"cannot reload; the old master stays: the binary is gone"}`)
	d.heard(`"cannot reload; the old master stays: the binary is gone"`)
	k.nothingSaid()
	c.say(`{"command":"reload","id":3}`) // another try
	expect[*link.Reload](k)
}

func TestClientsAndPingsGoOnWithTheNextMaster(t *testing.T) {
	k := newFakeKeeper(t)
	serial, pid := ready(k)
	watcher, asker := k.client(), k.client()
	watcher.say(`{"command":"worker:ping","pid":%d,"request_id":"abc"}`, pid)
	watcher.say(`{"command":"upgrade","id":"u"}`)
	watcher.heard(`"message":"Upgrading to generation 2"`)
	said, spawn := collect[*link.Spawn](k)
	asker.say(`{"command":"reload","id":9}`)
	more, _ := collect[*link.Reload](k)
	k.quiesce()
	last, _ := collect[*link.Quiesced](k)
	said = append(append(said, more...), last...)
	k.hello.NextSerial = spawn.Serial + 1
	k.takenOver(said,
		link.Child{Serial: serial, Generation: 1, PID: pid, StartedAt: link.Now()},
		link.Child{Serial: spawn.Serial, Generation: 2, Index: spawn.Index, PID: pid + 1, StartedAt: link.Now()})
	asker.heard(`"request_id":9,"ok":true,"message":"Reloaded! Master `)
	asker.say(`{"command":"status","id":10}`)
	asker.heard(`"pinged_request_id":"abc"`)
	asker.say(`{"command":"worker:ack","id":"a","pid":%d}`, pid+1)
	signal := expect[*link.Signal](k)
	if signal.Serial != serial {
		t.Errorf("worker %d is retired, want %d", signal.Serial, serial)
	}
	k.conn.Send(&link.Done{Through: signal.Number})
	for line := ""; !strings.Contains(line, "Upgrade done: generation 2 serves"); {
		line = watcher.hear()
		if !strings.Contains(line, `"request_id":"u"`) || strings.Contains(line, "Upgrading to generation") {
			t.Errorf("the client that watches is told %s", line)
		}
	}
}

// failsAfter tells whether a starting worker that is late to ACK is at fault,
// after a hand-over that consists of this.
func failsAfter(t *testing.T, all ...link.Message) bool {
	k := newFakeKeeper(t)
	from, to, err := link.Stream()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := link.New(fileOf(from))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		ours.Send(m)
	}
	ours.Close()
	k.stream = to
	k.hello.Saved = json.RawMessage(`{"number":1,"generation":1,"good":1}`)
	k.hello.Masters, k.hello.NextSerial = 1, 2
	k.cfg.AckTimeout = time.Minute
	k.start(link.Child{Serial: 1, Generation: 1, PID: k.pid, StartedAt: link.Now() - time.Hour})
	expect[*link.Spawn](k)              // its place is filled in any case
	k.conn.Send(&link.Done{Through: 1}) // of the TERM that one at fault gets
	c := k.client()
	c.say(`{"command":"status","id":1}`)
	return strings.Contains(c.hear(), `"failed_starts":1`)
}

func TestOnlyAWholeHandOverIsCertain(t *testing.T) {
	got := map[string]bool{
		"whole":  failsAfter(t, &link.Luggage{Data: []byte(`"nonsense"`)}, &link.Handed{}),
		"broken": failsAfter(t, &link.Luggage{Data: []byte(`{}`)}),
	}
	if diff := cmp.Diff(map[string]bool{"whole": true, "broken": false}, got); diff != "" {
		t.Errorf("after which hand-over a late worker is at fault (-want +got):\n%s", diff)
	}
}
