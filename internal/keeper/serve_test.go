// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/claim"
	"einhyrningsins/internal/link"
)

// bound gives the keeper a socket that is bound, and a pid file to write.
func (k *testKeeper) bound() *bind.Socket {
	k.t.Helper()
	spec, err := bind.ParseSpec("127.0.0.1:0,r")
	if err == nil {
		k.sockets, err = bind.OpenAll(k.t.Context(), []bind.Spec{spec}, bind.AnyFamily, 0)
	}
	if err == nil {
		k.pidFile, err = claim.CheckPIDFile(filepath.Join(k.t.TempDir(), "pid"))
	}
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(k.letGo)
	return k.sockets[0]
}

func listens(t *testing.T, s *bind.Socket) bool {
	t.Helper()
	n, err := unix.GetsockoptInt(s.FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		t.Fatal(err)
	}
	return n != 0
}

// Masters that die before they have made their pool let nobody come to us; the
// first order of one that has does, and is carried out after that.
func TestListensWhenAMasterIsThereToServe(t *testing.T) {
	for _, first := range []link.Message{&link.Live{}, &link.Spawn{Serial: 1, Generation: 1}} {
		k := newTestKeeper(t)
		s := k.bound()
		k.runMaster()
		k.masterDies()
		if listens(t, s) {
			t.Fatal("it listens for a master that never was live")
		}
		k.runMaster()
		k.send(&link.Save{})
		if listens(t, s) || k.serves {
			t.Fatal("it listens before it has to")
		}
		k.send(first)
		if !listens(t, s) || k.ending != nil {
			t.Fatalf("after %T it does not listen", first)
		}
	}
}

// What cannot be listened to after all ends everything, before there is a worker.
func TestAStartThatFailsAtTheLastMoment(t *testing.T) {
	k := newTestKeeper(t)
	s := k.bound()
	spec, _ := bind.ParseSpec(s.Address + ",r")
	other, err := bind.Open(spec, bind.AnyFamily, 0)
	if err != nil {
		t.Skipf("two sockets cannot be bound to one address here: %v", err)
	}
	defer other.Close()
	k.runMaster()
	master := k.master.pid
	k.send(&link.Spawn{Serial: 1, Generation: 1}, &link.Live{})
	wantTold(t, k)
	if k.unserved == nil || !strings.Contains(k.unserved.Error(), "cannot bind "+s.Spec.String()+": listen: address already in use") {
		t.Errorf("why it does not serve: %v", k.unserved)
	}
	if len(k.table.all()) != 0 {
		t.Error("there is a worker")
	}
	k.theirs.Close()
	for k.master.conn != nil {
		if _, open := <-k.master.in(); !open {
			k.masterClosed()
		}
	}
	k.sys.end(master, int(syscall.SIGKILL))
	k.reap()
	if code, _, over := k.over(); !over || code != exitFailed {
		t.Errorf("it does not end with %d, but %d, %v", exitFailed, code, over)
	}
	k.letGo()
	if left, _ := os.ReadDir(filepath.Dir(k.cfg.SocketPath)); len(left) != 1 { // the lock
		t.Errorf("left behind: %v", left)
	}
}
