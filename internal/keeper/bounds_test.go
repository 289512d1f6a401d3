// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/start"
)

// text is JSON of so many bytes.
func text(size int) []byte {
	return slices.Concat([]byte(`"`), bytes.Repeat([]byte("x"), size-2), []byte(`"`))
}

// What no master may ask for. Each is answered by the master's end, and has left
// nothing behind.
func TestWhatNoMasterMayAskForEndsIt(t *testing.T) {
	for name, m := range map[string]link.Message{
		"a worker with a negative index":        &link.Spawn{Serial: 2, Generation: 1, Index: -1},
		"a worker with an absurd index":         &link.Spawn{Serial: 2, Generation: 1, Index: 1 << 30},
		"a worker of a negative generation":     &link.Spawn{Serial: 2, Generation: -1, Index: 1},
		"a worker of an unknown generation":     &link.Spawn{Serial: 2, Generation: 7, Index: 1},
		"a signal with a wrong number":          &link.Signal{Number: 2, Serial: 1, Signal: 1},
		"a signal to nobody":                    &link.Signal{Number: 1, Serial: 9, Signal: 1},
		"signal 0":                              &link.Signal{Number: 1, Serial: 1},
		"a negative signal":                     &link.Signal{Number: 1, Serial: 1, Signal: -9},
		"signal 65":                             &link.Signal{Number: 1, Serial: 1, Signal: 65},
		"a signal of no level":                  &link.Signal{Number: 1, Serial: 1, Signal: 9, Level: 7},
		"CONT in place of KILL":                 &link.Signal{Number: 1, Serial: 1, Signal: 18, Group: true, Level: link.LevelKill},
		"TERM to the worker alone":              &link.Signal{Number: 1, Serial: 1, Signal: 15, Level: link.LevelTerm},
		"to forget a stop it has not heard of":  &link.Forget{Signal: 15, Count: 1},
		"to forget less than nothing":           &link.Forget{Signal: 1, Count: math.MinInt},
		"to forget it with the state":           &link.Save{Data: []byte(`{}`), Signals: map[int]int{15: 1}},
		"a state that no hello can hold":        &link.Save{Data: text(maxKept + 1)},
		"a worker's state that is too large":    &link.Save{Serial: 1, Data: text(maxKeptWorker + 1)},
		"a worker that will have been ready":    &link.Save{Serial: 1, ReadyAt: math.MaxInt64, Data: []byte(`{}`)},
		"too many generations":                  &link.Save{Data: []byte(`{}`), Generations: make([]int, maxRows+1)},
		"settings that no hello can hold":       &link.Settings{Data: text(maxKept + 1)},
		"a look for a negative generation":      &link.Look{Generation: -1},
		"a look for the last of generations":    &link.Look{Generation: math.MaxInt},
		"a probe, where there is none":          &link.Probe{Serial: 1},
		"to leave a worker behind":              &link.Exit{Reason: "bye"},
		"an exit status that is none":           &link.Exit{Code: 256},
		"to be let off with a sign of life":     &link.Pong{},
		"what keepers say":                      &link.Hello{},
		"what masters say to each other":        &link.Handed{},
		"what is said by a process that looks":  &link.Blind{},
		"what keepers say of signals they sent": &link.SignalFailed{Serial: 1},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTestKeeper(t)
			k.live()
			k.spawnWorker()
			k.send(&link.Save{Data: []byte(`{"a":1}`)}, &link.Settings{Data: []byte(`{"b":1}`)})
			k.caughtSignal(syscall.SIGHUP)
			k.told()
			k.caughtSignal(syscall.SIGTERM) // and it does not hear of it
			k.sys.did = nil
			k.send(m, &link.Save{Data: []byte(`{"late":1}`)})
			wantDid(t, k, "kill pid 101 9")
			if c := k.table.bySerial[1]; c == nil || c.Saved != nil || c.Level != link.LevelNone || len(k.table.bySerial) != 1 {
				t.Errorf("it has changed the table: %+v", k.table.bySerial)
			}
			if string(k.saved) != `{"a":1}` || string(k.settings) != `{"b":1}` || k.ending != nil || k.caught[syscall.SIGTERM].count != 1 {
				t.Errorf("it has changed what is kept: %s, %s, %+v", k.saved, k.settings, k.ending)
			}
			if k.master.dropped != 1 {
				t.Errorf("%d messages that do not count were counted, want 1", k.master.dropped)
			}
		})
	}
}

// The message never arrives as a whole.
func TestAMessageThatIsTooLongEndsTheLink(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.theirs.Send(&link.Settings{Data: text(maxOrder)})
	if in, open := <-k.master.in(); open {
		t.Fatalf("the keeper hears %T of more than %d bytes", in.Msg, maxOrder)
	}
	k.masterClosed()
	if !k.master.bad || k.settings != nil {
		t.Errorf("bad is %v, and %d bytes are kept", k.master.bad, len(k.settings))
	}
}

// Before a deadline what has arrived is heard, and then it is acted upon, though more
// comes for ever.
func TestAMasterThatNeverStopsSpeakingPutsNoDeadlineOff(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.spawnWorker()
	number := uint64(0)
	more := func() {
		if number++; number > 2*maxArrived {
			t.Fatal("the keeper hears one message after another, and nobody else")
		}
		k.theirs.Send(&link.Signal{Number: number, Serial: 1, Signal: 10})
	}
	k.sys.killed = more // each signal is followed by another
	k.caughtSignal(syscall.SIGTERM)
	more()
	k.sys.clock += 2 * patience
	k.catchUp()
}

// Closing a socket may take as long as its SO_LINGER, for which nobody is to wait.
func TestDescriptorsThatAMasterSendsHoldNobodyUp(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	fd := lingering(t)
	heard := make(chan struct{})
	go func() {
		k.order(link.Received{Msg: &link.Greet{}, FDs: []int{fd}})
		close(heard)
	}()
	select {
	case <-heard:
	case <-time.After(10 * time.Second):
		t.Fatal("the keeper waits for close(2)")
	}
	if !k.master.bad {
		t.Error("the master may send descriptors")
	}
}

// lingering is a socket whose close(2) takes until the end of the test.
func lingering(t *testing.T) int {
	t.Helper()
	socket := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	listener, fd := socket(), socket()
	t.Cleanup(func() { unix.Close(listener) }) // which resets what it has not accepted
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(unix.Listen(listener, 1))
	at, err := unix.Getsockname(listener)
	must(err)
	must(unix.Connect(fd, at))
	must(unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 60}))
	for buf := make([]byte, 1<<20); err == nil; {
		_, err = unix.SendmsgN(fd, buf, nil, nil, unix.MSG_DONTWAIT)
	}
	return fd
}

func TestTheQueueOfSpawnsIsBounded(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	for i := range maxOrdered {
		k.send(&link.Spawn{Serial: k.table.next, Generation: 1, Index: i})
	}
	if k.master.bad {
		t.Fatal("as many as may be are too many")
	}
	k.sys.did = nil
	k.send(&link.Spawn{Serial: k.table.next, Generation: 1})
	wantDid(t, k, "kill pid 101 9")
	if len(k.spawner.queue) != maxOrdered || len(k.table.bySerial) != maxOrdered {
		t.Errorf("%d wait, %d are in the table", len(k.spawner.queue), len(k.table.bySerial))
	}
}

// fillTable makes so many workers run.
func (k *testKeeper) fillTable(count int) {
	for range count {
		c := &child{Child: link.Child{Serial: k.table.next, Generation: 1}}
		k.table.add(c)
		k.table.started(c, 1_000_000+int(c.Serial), k.sys.clock)
	}
	k.table.news = nil
}

// Workers may drain for as long as they like, over any number of upgrades, so too
// many are a shortage like any other, and nobody's fault.
func TestNoMoreWorkersThanMayBe(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.fillTable(maxWorkers)
	k.sys.did = nil
	k.send(&link.Spawn{Serial: k.table.next, Generation: 1})
	wantDid(t, k)
	c := k.table.bySerial[maxWorkers+1]
	if c == nil || c.Failed == nil || !c.Failed.Shortage || len(k.spawner.queue) > 0 {
		t.Errorf("one more became %+v, and %d wait", c, len(k.spawner.queue))
	}
	for len(k.table.bySerial) < maxRows && !k.master.bad {
		k.order(link.Received{Msg: &link.Spawn{Serial: k.table.next, Generation: 1}})
	}
	k.order(link.Received{Msg: &link.Spawn{Serial: k.table.next, Generation: 1}})
	if !k.master.bad || len(k.table.bySerial) != maxRows {
		t.Errorf("%d workers are in the table that nobody forgets", len(k.table.bySerial))
	}
}

func TestAMasterThatRepeatsItselfFillsNothing(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.caughtSignal(syscall.SIGINT)
	k.told()
	for range 1000 {
		k.send(&link.Reload{}, &link.Live{}, &link.Greet{Software: strings.Repeat("x", 1000)}, &link.Quiesced{}, &link.Renew{})
	}
	wantOne(t, k, `ReloadFailed {"reason":"we are stopping"}`)
	if len(k.spawner.queue) > 1 {
		t.Errorf("%d jobs wait", len(k.spawner.queue))
	}
	k.control.Close()
	for range 1000 {
		k.send(&link.Renew{})
	}
	if len(k.spawner.queue) > 1 {
		t.Errorf("%d jobs wait", len(k.spawner.queue))
	}
}

// Each upgrade that is superseded may leave a worker, ready or draining, so many
// generations are nobody's fault. Too many of them are a look that fails.
func TestNoMoreGenerationsThanMayBe(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	kept := []int{1}
	for g := 2; g <= maxLaunches; g++ {
		k.looks.launches[g] = &start.Launch{Launch: link.Launch{Generation: g, Program: "/p"}, Held: &start.Program{}}
		k.looks.newest = g
		kept = append(kept, g)
	}
	k.send(&link.Save{Data: []byte(`{}`), Generations: kept}, &link.Look{Generation: maxLaunches + 1})
	wantOne(t, k, `LookFailed {"generation":1025,"reason":"workers of 1024 generations have not ended yet, and more are not kept; wait for some, or set --drain-timeout"}`)
	if k.master.bad || len(k.looks.launches) != maxLaunches || k.looks.now != nil {
		t.Errorf("bad is %v (%s), and %d are held", k.master.bad, k.master.lastWord, len(k.looks.launches))
	}
	k.send(&link.Save{Data: []byte(`{}`), Generations: kept[1:]}, &link.Look{Generation: maxLaunches + 2})
	if k.looks.now == nil {
		t.Error("it does not look when there is room again")
	}
}

func TestAnHeirOrdersNoMoreThanMayBe(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.standsStill()
	for i := 0; k.heir != nil && i < 10_000; i++ {
		k.heirSays(link.Received{Msg: &link.Save{Data: text(maxKept)}}, true)
	}
	if k.heir != nil {
		t.Error("the heir may say what it likes")
	}
}

// Of QUIT the end is asked for, whoever is left; who was told something else, or
// nothing, hears of it.
func TestExitAfterQUITLeavesNobodyWithoutASignal(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.spawnWorker()
	k.spawnWorker()
	k.caughtSignal(syscall.SIGQUIT)
	k.told()
	k.sys.did = nil
	k.spawnWorker()
	k.sys.did = nil
	k.send(&link.Signal{Number: 1, Serial: 1, Signal: 3, Level: link.LevelRetire}, &link.Signal{Number: 2, Serial: 3, Signal: 18, Level: link.LevelRetire}, &link.Exit{})
	wantDid(t, k, "kill pid 102 3", "kill pid 104 18", "kill pid 103 3", "kill pid 104 3")
	if k.ending == nil {
		t.Error("it does not end")
	}
}

// A worker that kill(2) refuses to signal is told of, before the signal is confirmed.
func TestASignalThatWasRefusedIsTold(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.spawnWorker()
	k.sys.refuse = syscall.EAGAIN
	usr2 := func(n uint64) { k.send(&link.Signal{Number: n, Serial: 1, Signal: 12, Level: link.LevelRetire}) }
	usr2(1)
	wantTold(t, k, `SignalFailed {"serial":1,"errno":11,"signal":12,"level":1}`, `Done {"through":1}`)
	usr2(2)
	wantTold(t, k, `Done {"through":2}`)
	k.masterDies()
	_, children := k.runMaster()
	if f := children[0].Refused; f == nil || f.Errno != 11 {
		t.Errorf("the next master is told %+v", f)
	}
	k.sys.refuse = nil
	usr2(1)
	wantTold(t, k, `SignalFailed {"serial":1,"errno":0,"signal":0,"level":0}`, `Done {"through":1}`)
}

// Nobody waits for a worker that cannot be killed.
func TestTheEndMayLeaveAWorkerThatCannotBeKilled(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.spawnWorker()
	k.sys.refuse = syscall.EPERM
	k.send(&link.Signal{Number: 1, Serial: 1, Signal: 9, Group: true, Level: link.LevelKill}, &link.Exit{Code: 1})
	if k.ending == nil {
		t.Error("it does not end: " + k.master.lastWord)
	}
}
