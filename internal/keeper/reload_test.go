// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
)

// testHeir is the new master of a reload, in the hands of a test.
type testHeir struct {
	k    *testKeeper
	conn *link.Conn
	pid  int
}

// beginReload takes a reload to where the new master runs.
func (k *testKeeper) beginReload() *testHeir {
	k.t.Helper()
	k.send(&link.Reload{})
	k.openHeir()
	h := k.newHeir()
	pid := k.answerJob(nil)
	h.pid = pid
	return h
}

// openHeir lets the binary of the new master be opened.
func (k *testKeeper) openHeir() {
	k.t.Helper()
	k.heirOpened(<-k.opened)
}

func (k *testKeeper) newHeir() *testHeir {
	k.t.Helper()
	dup, err := unix.Dup(int(k.heir.theirs.Fd()))
	if err != nil {
		k.t.Fatal(err)
	}
	conn, err := link.New(os.NewFile(uintptr(dup), "heir"))
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(conn.Close)
	return &testHeir{k: k, conn: conn}
}

// says lets the new master say something, and the keeper hear it.
func (h *testHeir) says(messages ...link.Message) {
	h.k.t.Helper()
	for _, m := range messages {
		h.conn.Send(m)
		in, open := <-h.k.heir.in()
		h.k.heirSays(in, open)
	}
}

// hello takes all that the keeper tells the new master at first.
func (h *testHeir) hello() (hello link.Hello, children []link.Child, fds int) {
	h.k.t.Helper()
	for in := range h.conn.In() {
		for _, fd := range in.FDs {
			unix.Close(fd)
		}
		switch m := in.Msg.(type) {
		case *link.Hello:
			hello, fds = *m, len(in.FDs)
		case *link.Child:
			children = append(children, *m)
		case *link.Begin:
			return hello, children, fds
		}
	}
	h.k.t.Fatal("the keeper closed the new master's link")
	return hello, nil, 0
}

var greet = &link.Greet{Oldest: link.Version, Version: link.Version, Software: "2"}

// standsStill takes a reload to where the old master stands still and the new
// one knows everything.
func (k *testKeeper) standsStill() *testHeir {
	k.t.Helper()
	h := k.beginReload()
	h.says(greet)
	in := k.receive()
	if _, ok := in.Msg.(*link.Quiesce); !ok || len(in.FDs) != 1 {
		k.t.Fatalf("the old master hears %T with %d descriptors, want Quiesce with one", in.Msg, len(in.FDs))
	}
	unix.Close(in.FDs[0])
	k.send(&link.Quiesced{})
	return h
}

func (k *testKeeper) wantFailure(reason string) {
	k.t.Helper()
	in := k.receive()
	m, ok := in.Msg.(*link.ReloadFailed)
	if !ok || !strings.Contains(m.Reason, reason) {
		k.t.Errorf("the old master hears %T %+v, want ReloadFailed with %q", in.Msg, in.Msg, reason)
	}
	if k.heir != nil || k.master.quiesced {
		k.t.Error("the reload is not over")
	}
}

func TestReloadHandsOverAndEndsTheOld(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	first, pid := k.spawnWorker()
	k.caughtSignal(syscall.SIGHUP)
	k.told()
	k.send(&link.Save{Data: []byte(`{"a":1}`)})
	old := k.master.pid
	h := k.standsStill()
	hello, children, fds := h.hello()
	if !hello.Reload || hello.Masters != 1 || string(hello.Saved) != `{"a":1}` || hello.Signals[1] != 1 || fds != 2 {
		t.Errorf("the new master's hello is %+v with %d descriptors", hello, fds)
	}
	if len(children) != 1 || children[0].PID != pid {
		t.Errorf("the new master hears of %+v, want worker %d", children, pid)
	}

	// What the old one says now is ignored, what happens now is told to the new.
	k.send(&link.Save{Data: []byte(`{"old":1}`)}, &link.Forget{Signal: 1, Count: 1}, &link.Spawn{Serial: 2})
	k.caughtSignal(syscall.SIGHUP)
	k.sys.end(pid, 3)
	k.reap()
	wantTold(t, k)

	h.says(&link.Spawn{Serial: 2, Generation: 1, Index: 1})
	if k.table.bySerial[2] != nil {
		t.Fatal("an order counted before the new master was live")
	}
	k.sys.did = nil
	h.says(&link.Live{})
	if k.table.bySerial[2] == nil || string(k.saved) != `{"a":1}` || k.heir != nil || k.master.pid != h.pid {
		t.Errorf("the new master %d is not the master; it is %+v", h.pid, k.master)
	}
	if _, open := <-k.theirs.In(); open {
		t.Error("the old master's link is open")
	}
	k.theirs = h.conn
	wantTold(t, k, "Lead {}",
		`Exited {"serial":1,"pid":102,"code":3,"signal":0,"core":false,"at":1000000000}`,
		`Signalled {"signal":1,"count":1}`)
	k.send(&link.Forget{Serial: first})

	// The old one ends by itself, or is made to.
	k.sys.clock += patience
	k.deadlines()
	wantDid(t, k, "kill pid 101 9")
	k.sys.end(old, 0)
	k.reap()
	wantDid(t, k, "reap 101")
	if len(k.former()) > 0 || k.master.restartAt != 0 {
		t.Errorf("the end of the old master has left %v, restart at %v", k.former(), k.master.restartAt)
	}
}

func (k *testKeeper) late() {
	k.sys.clock += patience
	k.deadlines()
}

// reloadFailures are the ways in which a reload can go wrong.
var reloadFailures = []struct {
	name, reason string
	fail         func(k *testKeeper)
}{
	{"the binary cannot be started", "cannot start /usr/bin/einhyrningsins: no such file", func(k *testKeeper) {
		k.send(&link.Reload{})
		k.openHeir()
		k.answerJob(syscall.ENOENT)
	}},
	{"the binary cannot be opened", "did not say within 5s which version", func(k *testKeeper) {
		k.send(&link.Reload{})
		defer k.openHeir()
		k.late()
	}},
	{"it ends at once", "did not live: exit status 3", func(k *testKeeper) {
		h := k.beginReload()
		k.sys.end(h.pid, 3)
		k.reap()
	}},
	{"it does not greet", "did not say within 5s which version", func(k *testKeeper) {
		k.beginReload()
		k.late()
	}},
	{"it is too old", "speaks versions 0 to 1 of the link, the keeper speaks 2", func(k *testKeeper) {
		k.beginReload().says(&link.Greet{Oldest: 0, Version: link.Version - 1})
	}},
	{"it is too new", "restart the keeper to use it", func(k *testKeeper) {
		k.beginReload().says(&link.Greet{Oldest: link.Version + 1, Version: link.Version + 2})
	}},
	{"it is live too early", "before it was told anything", func(k *testKeeper) {
		k.beginReload().says(&link.Live{})
	}},
	{"it gives orders too early", "sent *link.Spawn before", func(k *testKeeper) {
		k.beginReload().says(&link.Spawn{Serial: 1})
	}},
	{"it does not go live", "did not go live within 5s", func(k *testKeeper) {
		k.standsStill().hello()
		k.late()
	}},
	{"it dies before it is live", "did not live: exit status 1", func(k *testKeeper) {
		h := k.standsStill()
		h.hello()
		k.sys.end(h.pid, 1)
		k.reap()
	}},
	{"it closes its link", "closed its link", func(k *testKeeper) {
		h := k.standsStill()
		h.hello()
		h.conn.Close()
		for k.heir.conn != nil {
			in, open := <-k.heir.in()
			k.heirSays(in, open)
		}
		k.late()
	}},
	{"we are to stop", "we are stopping", func(k *testKeeper) {
		k.standsStill().hello()
		k.caughtSignal(syscall.SIGTERM)
	}},
}

func TestReloadFailsAndTheOldGoesOn(t *testing.T) {
	for _, c := range reloadFailures {
		t.Run(c.name, func(t *testing.T) {
			k := newTestKeeper(t)
			k.live()
			_, pid := k.spawnWorker()
			c.fail(k)
			k.wantFailure(c.reason)
			k.told()
			// All goes on: orders count, and what happened is told.
			k.sys.end(pid, 4)
			k.reap()
			wantTold(t, k, fmt.Sprintf(`Exited {"serial":1,"pid":102,"code":4,"signal":0,"core":false,"at":%d}`, k.sys.clock))
			k.send(&link.Forget{Serial: 1}, &link.Spawn{Serial: 2, Generation: 1})
			if k.table.bySerial[2] == nil {
				t.Error("the old master's orders do not count")
			}
			for _, pid := range k.former() {
				k.sys.end(pid, 9)
				k.reap()
			}
			if len(k.former()) > 0 {
				t.Errorf("masters %v are left over", k.former())
			}
			if k.stop.at == 0 {
				k.beginReload() // another try is possible
			}
		})
	}
}

func TestWhatHappenedWhileTheOldStoodStillIsToldToItAfterAll(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	_, pid := k.spawnWorker()
	h := k.standsStill()
	h.hello()
	k.sys.end(pid, 7)
	k.reap()
	k.caughtSignal(syscall.SIGHUP)
	wantTold(t, k)
	k.sys.clock += patience
	k.deadlines()
	k.wantFailure("did not go live")
	wantTold(t, k,
		`Exited {"serial":1,"pid":102,"code":7,"signal":0,"core":false,"at":1000000000}`,
		`Signalled {"signal":1,"count":1}`)
	// It has its patience anew to deal with them.
	k.sys.did = nil
	k.sys.clock += patience / 2
	k.deadlines()
	wantDid(t, k)
}

func TestOldMasterDiesDuringAReload(t *testing.T) {
	t.Run("before the new one knows", func(t *testing.T) {
		k := newTestKeeper(t)
		k.live()
		h := k.beginReload()
		k.sys.clock += time.Second
		k.masterDies()
		if k.heir != nil || k.master.restartAt == 0 {
			t.Error("the reload goes on though nobody can hand over")
		}
		if !slices.Contains(k.former(), h.pid) {
			t.Error("the new master is not dismissed")
		}
		k.runMaster()
	})
	t.Run("after it", func(t *testing.T) {
		k := newTestKeeper(t)
		k.live()
		h := k.standsStill()
		h.hello()
		k.sys.clock += time.Second
		k.masterDies()
		if k.heir == nil || k.master.restartAt != 0 {
			t.Fatal("a third master is started though the second knows all")
		}
		h.says(&link.Live{})
		if k.master.pid != h.pid || k.master.liveAt == 0 {
			t.Errorf("the new master has not taken over: %+v", k.master)
		}
	})
	t.Run("and the new one, too", func(t *testing.T) {
		k := newTestKeeper(t)
		k.live()
		h := k.standsStill()
		h.hello()
		k.sys.clock += time.Second
		k.masterDies()
		k.sys.end(h.pid, 1)
		k.reap()
		if k.heir != nil || k.master.restartAt == 0 || k.master.binary != nil {
			t.Errorf("no master of the old binary is started: %+v", k.master)
		}
	})
}

func TestAfterACrashTheBinaryOfTheDeadIsStarted(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	h := k.standsStill()
	h.hello()
	held := k.heir.binary
	h.says(&link.Live{})
	k.theirs = h.conn
	k.sys.clock += time.Second
	k.masterDies()
	k.deadlines()
	_, j := k.spawner.next()
	if j.process.program.File != held {
		t.Errorf("the next master is started from %v, want %v", j.process.program.File, held)
	}
}

func TestSpawnOfAGivenUpHeirIsEnded(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Reload{})
	k.openHeir()
	j, pid := k.begin() // the exec hangs
	k.sys.clock += patience
	k.deadlines()
	k.wantFailure("did not say")
	k.sys.did = nil
	k.finishJob(j, pid, nil)
	wantDid(t, k, "kill pid 102 9")
	if !slices.Contains(k.former(), pid) {
		t.Error("nobody waits for its end")
	}
}
