// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
)

// ready starts a master with one ready worker.
func ready(k *fakeKeeper) (serial uint64, pid int) {
	k.t.Helper()
	k.start()
	serial, pid = k.spawned()
	c := k.client()
	c.say(`{"command":"worker:ack","id":1,"pid":%d}`, pid)
	c.heard("Acknowledged!")
	return serial, pid
}

func TestAckOvertakesTheAnswerOfItsSpawn(t *testing.T) {
	k := newFakeKeeper(t)
	k.start()
	spawn := expect[*link.Spawn](k)
	c := k.client()
	c.say(`{"command":"worker:ack","pid":%d}`, 1<<28)
	c.silent(k)
	k.conn.Send(&link.Spawned{Serial: spawn.Serial, PID: 1 << 28, At: link.Now()})
	c.heard("Acknowledged!")
	for {
		if save := expect[*link.Save](k); save.Serial == spawn.Serial && save.ReadyAt != 0 {
			return
		}
	}
}

func TestAckOfAStrangerIsRefusedOnceAllSpawnsAreAnswered(t *testing.T) {
	k := newFakeKeeper(t)
	k.start()
	spawn := expect[*link.Spawn](k)
	c := k.client()
	c.say(`{"command":"worker:ack","id":1,"pid":%d}`, 1<<28)
	c.silent(k)
	k.conn.Send(&link.Spawned{Serial: spawn.Serial, PID: 1<<28 + 1, At: link.Now()})
	c.heard("refused")
}

func TestAnswerWaitsForTheSignalItSpeaksOf(t *testing.T) {
	k := newFakeKeeper(t)
	serial, _ := ready(k)
	c := k.client()
	c.say(`{"command":"signal","args":["usr1"],"id":7}`)
	sig := expect[*link.Signal](k)
	if sig.Serial != serial || sig.Signal != int(unix.SIGUSR1) || sig.Level != link.LevelNone {
		t.Errorf("the signal is %+v", sig)
	}
	c.silent(k)
	k.conn.Send(&link.Done{Through: sig.Number})
	c.heard(`Sent USR1 to 1 workers`)
}

func TestUpgradeIsDoneOnlyWhenTheOldWasSignalled(t *testing.T) {
	k := newFakeKeeper(t)
	old, _ := ready(k)
	c := k.client()
	c.say(`{"command":"upgrade","id":"u"}`)
	c.heard(`"generation":2`)
	_, pid := k.spawned()
	c.heard(`"event":"spawned"`)
	c.say(`{"command":"worker:ack","pid":%d,"id":2}`, pid)
	sig := expect[*link.Signal](k)
	if sig.Serial != old || sig.Level != link.LevelRetire || sig.Signal != int(unix.SIGUSR2) {
		t.Fatalf("the signal is %+v, want the graceful one to worker %d", sig, old)
	}
	c.silent(k)
	k.conn.Send(&link.Done{Through: sig.Number})
	for line := c.hear(); ; line = c.hear() {
		if strings.Contains(line, `"wait":true`) || strings.Contains(line, "Acknowledged") {
			continue
		}
		if !strings.Contains(line, `"ok":true`) || !strings.Contains(line, `"state":"done"`) {
			t.Errorf("the outcome is %s", line)
		}
		return
	}
}

func TestStateIsSavedBeforeWhatFollowsFromIt(t *testing.T) {
	k := newFakeKeeper(t)
	ready(k)
	k.client().say(`{"command":"upgrade"}`)
	for {
		switch m := k.receive().(type) {
		case *link.Save:
			var st pool.State
			if m.Serial == 0 && json.Unmarshal(m.Data, &st) == nil && st.Upgrade.Generation == 2 {
				expect[*link.Spawn](k)
				return
			}
		case *link.Spawn:
			t.Fatal("a worker is ordered before the upgrade was saved")
		}
	}
}

func TestCaughtSignalIsForgottenWithTheStateThatFollows(t *testing.T) {
	k := newFakeKeeper(t)
	ready(k)
	k.conn.Send(&link.Signalled{Signal: int(unix.SIGINT), Count: 1})
	for {
		switch m := k.receive().(type) {
		case *link.Save:
			var st pool.State
			if m.Serial == 0 && json.Unmarshal(m.Data, &st) == nil && st.Stop.Level > 0 {
				if m.Signals[int(unix.SIGINT)] != 1 {
					t.Error("the stop was saved and its signal not forgotten: it would count twice")
				}
				return
			}
		case *link.Forget:
			if m.Signal != 0 {
				t.Fatal("the signal was forgotten before the stop was saved")
			}
		}
	}
}

func TestExitsInTheHelloAreOneStep(t *testing.T) {
	k := newFakeKeeper(t)
	k.cfg.Number = 2
	st := pool.State{Number: 2, Generation: 2, Good: 1, Upgrade: pool.Upgrade{Phase: pool.Running, Generation: 2, FirstAck: true}}
	k.hello.Saved, _ = json.Marshal(st)
	k.hello.Masters, k.hello.NextSerial = 1, 5
	now := link.Now()
	child := func(serial uint64, generation int) link.Child {
		return link.Child{Serial: serial, Generation: generation, Index: int(serial), PID: 1<<28 + int(serial), OrderedAt: now, StartedAt: now, ReadyAt: now}
	}
	dead1, dead2 := child(3, 2), child(4, 2)
	dead1.Exit = &link.Exited{Serial: 3, Code: 1, At: now}
	dead2.Exit = &link.Exited{Serial: 4, Code: 1, At: now}
	// Taken one by one, the second dead one would still count as ready, and an
	// old one would be retired.
	k.start(child(1, 1), child(2, 1), dead1, dead2)
	for {
		switch m := k.receive().(type) {
		case *link.Signal:
			t.Fatalf("worker %d was signalled though only two are left", m.Serial)
		case *link.Live:
			return
		}
	}
}

func TestUnreadableStateIsRebuilt(t *testing.T) {
	for name, saved := range map[string]string{
		"not a state": `"x"`, "impossible": `{"number":0}`, "missing": ``,
	} {
		t.Run(name, func(t *testing.T) {
			k := newFakeKeeper(t)
			now := link.Now()
			k.hello.Saved = json.RawMessage(saved)
			if saved == "" {
				k.hello.Saved, k.hello.Rebuild = nil, "a test"
			}
			k.hello.Masters, k.hello.NextSerial = 1, 2
			k.start(link.Child{Serial: 1, Generation: 7, PID: 1 << 28, OrderedAt: now, StartedAt: now, ReadyAt: now})
			expect[*link.Live](k)
			c := k.client()
			c.say(`{"command":"status","id":1}`)
			c.heard(`"generation":7,"good_generation":7`)
		})
	}
}

func TestAnUnreadableWorkerLosesNoOther(t *testing.T) {
	k := newFakeKeeper(t)
	k.cfg.Number = 3
	now := link.Now()
	k.hello.Saved, _ = json.Marshal(pool.State{Number: 3, Generation: 1, Good: 1})
	k.hello.Masters, k.hello.NextSerial = 1, 4
	var children []link.Child
	for i := range 3 {
		children = append(children, link.Child{Serial: uint64(i) + 1, Generation: 1, Index: i, PID: 1<<28 + i, OrderedAt: now, StartedAt: now, ReadyAt: now})
	}
	children[0].Saved = json.RawMessage(`"no worker"`)
	k.start(children...)
	expect[*link.Live](k)
	c := k.client()
	c.say(`{"command":"status","id":1}`)
	answer := c.hear()
	for _, w := range children {
		if !strings.Contains(answer, fmt.Sprintf(`"pid":%d,"index":%d,"generation":1,"state":"ready"`, w.PID, w.Index)) {
			t.Errorf("worker %d is not there: %s", w.PID, answer)
		}
	}
}

func TestKeeperOfAnotherVersionIsRefused(t *testing.T) {
	k := newFakeKeeper(t)
	k.hello.Version = link.Version + 1
	k.start()
	select {
	case err := <-k.ended:
		if err == nil || !strings.Contains(err.Error(), "version") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("the master runs on")
	}
}

func TestMasterEndsWithTheLink(t *testing.T) {
	k := newFakeKeeper(t)
	ready(k)
	k.conn.Close()
	select {
	case err := <-k.ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("the master runs on")
	}
}

func TestEndWaitsForItsLastSignal(t *testing.T) {
	k := newFakeKeeper(t)
	ready(k)
	k.conn.Send(&link.Signalled{Signal: int(unix.SIGQUIT), Count: 1})
	sig := expect[*link.Signal](k)
	if sig.Signal != int(unix.SIGQUIT) {
		t.Fatalf("the signal is %+v", sig)
	}
	k.client().silent(k) // it goes on until the signal was sent
	k.conn.Send(&link.Done{Through: sig.Number})
	for {
		if m, ok := k.receive().(*link.Exit); ok {
			if m.Code != 0 || !strings.Contains(m.Reason, "SIGQUIT") {
				t.Errorf("it ends with %+v", m)
			}
			return
		}
	}
}
