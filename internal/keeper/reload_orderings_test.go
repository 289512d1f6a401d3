// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/start"
)

func TestOldMasterClosesItsLinkJustBeforeTheNewOneGreets(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	h := k.beginReload()
	k.sys.clock += time.Second
	k.theirs.Close()
	for k.master.conn != nil {
		if in, open := <-k.master.in(); open {
			k.order(in)
		} else {
			k.masterClosed()
		}
	}
	h.says(greet) // the old one is a zombie that nobody has reaped yet
	if k.heir != nil || !slices.Contains(k.former(), h.pid) {
		t.Error("the reload goes on though nobody can hand over")
	}
	k.sys.end(k.master.pid, 1)
	k.reap()
	if k.master.restartAt == 0 {
		t.Error("no other master follows")
	}
	k.runMaster()
}

func TestNewMasterIsNotHeardBeforeItsProcessIsKnown(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Reload{})
	k.openHeir()
	h := k.newHeir()
	j, pid := k.begin() // it runs, and the answer is slow to come
	h.conn.Send(greet)
	for k.heir.conn.Idle() {
		runtime.Gosched() // until it has arrived
	}
	if k.heir.in() != nil {
		t.Fatal("it is heard before its process is known, and would be taken for one that was given up")
	}
	k.catchUp()
	k.finishJob(j, pid, nil)
	h.pid = pid
	in := <-k.heir.in()
	k.heirSays(in, true)
	if k.heir.phase != heirWaits {
		t.Error("its greeting is lost")
	}
}

func TestControlSocketBoundAnewDuringAReload(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	_, pid := k.spawnWorker()
	h := k.standsStill()
	h.hello()
	if err := os.Remove(k.cfg.SocketPath); err != nil {
		t.Fatal(err)
	}
	bound, err := k.control.Rebind()
	if err != nil {
		t.Fatal(err)
	}
	k.answered(answer{job: job{renew: k.control}, bound: bound})
	k.sys.end(pid, 0)
	k.reap()
	wantTold(t, k) // the old one stands still
	h.says(&link.Live{})
	k.theirs = h.conn
	wantTold(t, k, "Lead {}", "Listener {}",
		`Exited {"serial":1,"pid":102,"code":0,"signal":0,"core":false,"at":1000000000}`)
}

func TestNoMasterIsLeftBehind(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	old := k.master.pid
	h := k.standsStill()
	h.hello()
	h.says(&link.Live{})
	k.theirs = h.conn
	k.send(&link.Exit{Reason: "done"}) // and the old one may be stopped
	k.masterEndsAs(0)
	k.sys.did = nil
	k.killTasks()
	wantDid(t, k, fmt.Sprintf("kill pid %d 9", old))
}

// What lies where the binary was may be anything: opening it must not block.
func TestBinaryIsAFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := realSystem{}.open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pid, report, err := realSystem{}.start(stepsTo(process{program: &start.Program{File: f}, argv: []string{"p"}}))
	if err != nil {
		t.Fatal(err)
	}
	if why, yes := programFailed(report.Wait()); !yes || why != syscall.EACCES {
		t.Errorf("a FIFO was executed: %v", why)
	}
	realSystem{}.reap(pid)
}
