// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestListen: nothing comes to a socket before it, and an error of one leaves what
// is shared with others as it was.
func TestListen(t *testing.T) {
	first := mustOpen(t, "127.0.0.1:0,reuseport", AnyFamily)
	blocker := mustOpen(t, "127.0.0.1:0,r", AnyFamily)
	path := inDir(t, "a.sock")
	shared := first.Address + ",reuseport"
	sockets, err := OpenAll(t.Context(), []Spec{mustParse(t, shared), mustParse(t, "unix:"+path)}, AnyFamily, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sockets {
		if option(t, s.FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN) != 0 {
			t.Errorf("%s listens", s.Address)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := Listen(sockets); err == nil || !strings.Contains(err.Error(), "cannot bind unix:"+path+": somebody has replaced the socket") {
		t.Errorf("a path that is gone: %v", err)
	}
	if option(t, sockets[0].FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN) != 0 {
		t.Error("the shared one listens though another failed")
	}
	CloseAll(sockets)

	// With r two can be bound as long as none listens.
	address := blocker.Address
	blocker.Close()
	if sockets, err = OpenAll(t.Context(), []Spec{mustParse(t, shared), mustParse(t, address+",r")}, AnyFamily, 0); err != nil {
		t.Fatal(err)
	}
	defer CloseAll(sockets)
	mustOpen(t, address+",r", AnyFamily)
	if err := Listen(sockets); !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "cannot bind "+address+",r: listen: ") ||
		!strings.Contains(err.Error(), "another -b of this same command (pid ") {
		t.Errorf("another one listens by now: %v", err)
	}
	if option(t, sockets[0].FD, unix.SOL_SOCKET, unix.SO_ACCEPTCONN) != 0 {
		t.Error("the shared one listens though another failed")
	}
}

// TestListenDatagrams: a shared address gets no datagram before.
func TestListenDatagrams(t *testing.T) {
	first := mustOpen(t, "udp:127.0.0.1:0,reuseport", AnyFamily)
	sockets, err := OpenAll(t.Context(), []Spec{mustParse(t, "udp:"+first.Address+",reuseport")}, AnyFamily, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(sockets)
	if sockets[0].Address != first.Address {
		t.Errorf("its address is %s, not %s", sockets[0].Address, first.Address)
	}
	if at, err := localAddress(sockets[0].FD); err != nil || at == first.Address {
		t.Errorf("it is bound to %s, %v", at, err)
	}
	if err := Listen(sockets); err != nil {
		t.Fatal(err)
	}
	if at, err := localAddress(sockets[0].FD); err != nil || at != first.Address {
		t.Errorf("it is bound to %s, %v", at, err)
	}
	_, err = OpenAll(t.Context(), []Spec{mustParse(t, "udp:192.0.2.1:5353,reuseport")}, AnyFamily, 0)
	if !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("an address that is not ours: %v", err)
	}
}
