// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
)

// oldMaster is the test, in the place of the master that hands over.
func (k *fakeKeeper) oldMaster() (from int) {
	k.t.Helper()
	from, to, err := link.Stream()
	if err != nil {
		k.t.Fatal(err)
	}
	k.stream = to
	k.hello.Saved = json.RawMessage(`{"number":1,"generation":1,"good":1}`)
	k.hello.Masters, k.hello.NextSerial = 1, 2
	return from
}

func (k *fakeKeeper) handsOver(from int, all ...link.Message) {
	k.t.Helper()
	conn, err := link.New(fileOf(from))
	if err != nil {
		k.t.Fatal(err)
	}
	defer conn.Close()
	for _, m := range all {
		conn.Send(m)
	}
}

// wantRefusal checks that the new master gives up before it is live, so that the
// old one, which lives and is whole, goes on.
func (k *fakeKeeper) wantRefusal(why string) {
	k.t.Helper()
	for in := range k.conn.In() {
		if _, ok := in.Msg.(*link.Greet); !ok {
			k.t.Errorf("the new master said %T", in.Msg)
		}
	}
	if err := <-k.ended; err == nil || !strings.Contains(err.Error(), why) {
		k.t.Errorf("the new master ended with %v, want %q", err, why)
	}
}

func TestDoesNotTakeOverWhatItCannotHold(t *testing.T) {
	child := link.Child{Serial: 1, Generation: 1, PID: 1 << 28, StartedAt: link.Now()}
	t.Run("saved state", func(t *testing.T) {
		k := newFakeKeeper(t)
		from := k.oldMaster()
		k.hello.Saved = json.RawMessage(`{"number":0}`)
		k.start(child)
		k.handsOver(from, &link.Handed{})
		k.wantRefusal("the saved state cannot be read")
	})
	t.Run("a client without its descriptor", func(t *testing.T) {
		k := newFakeKeeper(t)
		from := k.oldMaster()
		k.start(child)
		k.handsOver(from, &link.Client{Data: []byte(`{}`)}, &link.Handed{})
		k.wantRefusal("no descriptor is to be had")
	})
	t.Run("a stream that cannot be read", func(t *testing.T) {
		k := newFakeKeeper(t)
		from := k.oldMaster()
		k.start(child)
		if _, err := unix.Write(from, slices.Repeat([]byte{0xff}, 16)); err != nil {
			t.Fatal(err)
		}
		k.wantRefusal("cannot read the link")
		unix.Close(from)
	})
}

func TestCannotHaveTheStreamToHandOverOn(t *testing.T) {
	k := newFakeKeeper(t)
	ready(k)
	k.conn.Send(&link.Quiesce{})
	if q := expect[*link.Quiesced](k); !strings.Contains(q.Failure, "no descriptor") {
		t.Errorf("it stands still without a stream: %+v", q)
	}
	k.conn.Send(&link.ReloadFailed{Reason: "no"})
	c := k.client()
	c.say(`{"command":"inc","id":1}`)
	c.heard(`"ok":true`)
}

// What is handed on of workers does not grow from reload to reload.
func TestNothingIsHandedOnOfWorkersThatHaveEnded(t *testing.T) {
	k := newFakeKeeper(t)
	from := k.oldMaster()
	exit := &link.Exited{Serial: 1, PID: 1 << 28, At: link.Now()}
	k.start(link.Child{Serial: 1, Generation: 1, PID: exit.PID, StartedAt: link.Now(), Exit: exit})
	state, _ := json.Marshal(handedState{
		Pings: []handedPing{{Serial: 1, RequestID: "a"}},
		Told:  map[uint64][]syscall.Signal{1: {syscall.SIGTERM}},
	})
	k.handsOver(from, &link.Luggage{Data: state}, &link.Handed{})
	expect[*link.Live](k)
	k.quiesce()
	stream, err := link.New(fileOf(k.stream))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	expect[*link.Quiesced](k)
	var handed handedState
	for in := range stream.In() {
		if m, ok := in.Msg.(*link.Luggage); ok {
			if err := json.Unmarshal(m.Data, &handed); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	handed.Events, handed.LastEvent = nil, 0 // these are not of workers, and have their own bounds
	if diff := cmp.Diff(handedState{Told: map[uint64][]syscall.Signal{}}, handed); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
