// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"einhyrningsins/internal/link"
)

// reloaded is a keeper whose master is of a new binary, of version 2.
func reloaded(t *testing.T) *testKeeper {
	t.Helper()
	k := newTestKeeper(t)
	k.live()
	k.reload()
	return k
}

// reload takes a reload to its end.
func (k *testKeeper) reload() {
	k.t.Helper()
	h := k.standsStill()
	h.hello()
	h.says(&link.Live{})
	k.theirs = h.conn
	k.told()
	k.sys.end(k.dismissed(), 0)
	k.reap()
}

// dismissed is the one master that a reload has replaced and that has not ended.
func (k *testKeeper) dismissed() int {
	k.t.Helper()
	for _, pid := range k.former() {
		return pid
	}
	k.t.Fatal("no master was dismissed")
	return 0
}

// nextMaster starts the next master and lets it go live.
func (k *testKeeper) nextMaster() (gaveUp string) {
	k.t.Helper()
	k.sys.clock = max(k.sys.clock, k.master.restartAt)
	hello, _ := k.runMaster()
	k.send(&link.Live{})
	k.told()
	return hello.GaveUp
}

func TestABinaryWhoseMastersDieAgainAndAgainIsGivenUp(t *testing.T) {
	k := reloaded(t)
	for i := range mostStrikes {
		if k.master.binary == nil || k.worked.gaveUp != "" {
			t.Fatalf("the new binary is given up after %d deaths", i)
		}
		k.masterDies()
		if gaveUp := k.nextMaster(); (i == mostStrikes-1) != strings.Contains(gaveUp, "version 2 was given up") {
			t.Errorf("after %d deaths the next master hears that %q", i+1, gaveUp)
		}
	}
	if k.master.binary != nil {
		t.Error("the masters are still of the new binary")
	}
	if _, why := k.leaveOut(); why != "" {
		t.Errorf("what the other binary did is laid on the state: %s", why)
	}
	for range mostStrikes {
		k.masterDies()
		k.nextMaster()
	}
	if k.worked.gaveUp == "" {
		t.Error("that it was given up is forgotten")
	}
	k.reload()
	if k.worked.gaveUp != "" || !k.worked.kept {
		t.Errorf("after another reload it is %+v", k.worked)
	}
}

func TestABinaryWhoseMastersHangIsGivenUp(t *testing.T) {
	k := reloaded(t)
	_, pid := k.spawnWorker()
	k.sys.end(pid, 1)
	k.reap()
	for range mostStrikes {
		k.sys.clock += soon // it has worked for a while, and hangs now
		k.master.waitedAt = k.sys.clock - patience
		k.stop.frozen = 3
		k.deadlines()
		if !k.master.hung {
			t.Fatal("nobody takes it for hung")
		}
		k.masterDies()
		k.nextMaster()
	}
	if k.master.binary != nil || k.worked.gaveUp == "" {
		t.Error("the new binary goes on")
	}
}

func TestABinaryThatWorksIsNotGivenUp(t *testing.T) {
	k := reloaded(t)
	for range 3 * mostStrikes {
		k.sys.clock += soon
		k.masterDies()
		k.nextMaster()
	}
	if k.master.binary == nil || k.worked.gaveUp != "" {
		t.Errorf("it was given up: %s", k.worked.gaveUp)
	}
}

func TestABinaryThatHangsInAStopIsGivenUpAtOnce(t *testing.T) {
	k := reloaded(t)
	k.spawnWorker()
	k.caughtSignal(syscall.SIGTERM)
	k.replaceHung()
	if k.master.binary != nil || k.worked.gaveUp == "" {
		t.Error("the new binary goes on")
	}
}

// What never worked is not what one goes back to.
func TestTheBinaryThatWorkedIsKeptOverOneThatDidNot(t *testing.T) {
	k := reloaded(t)
	first := k.master.binary
	k.reload() // the binary before this one had no time to show anything
	if k.worked.binary != nil {
		t.Error("it goes back to a binary that has not worked")
	}
	if _, err := first.Stat(); err == nil {
		t.Error("a binary that nobody needs is held open")
	}
	k.sys.clock += 2 * time.Minute
	second := k.master.binary
	k.reload()
	if k.worked.binary != second {
		t.Error("it does not go back to the binary that has worked")
	}
}
