// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenInUse: that a server is live is not mended by r.
func TestOpenInUse(t *testing.T) {
	s := mustOpen(t, "127.0.0.1:0", AnyFamily)
	for _, suffix := range []string{"", ",r"} {
		_, err := Open(mustParse(t, s.Address+suffix), AnyFamily, 0)
		if !errors.Is(err, unix.EADDRINUSE) || errors.Is(err, ErrUsage) {
			t.Fatalf("second bind of %s%s: %v; want EADDRINUSE", s.Address, suffix, err)
		}
		if !strings.Contains(err.Error(), "stop that, or take another address") || strings.Contains(err.Error(), "TIME_WAIT") {
			t.Errorf("%q: %v", suffix, err)
		}
	}
	shared := mustOpen(t, "127.0.0.1:0,reuseport", AnyFamily)
	_, err := Open(mustParse(t, shared.Address), AnyFamily, 0)
	if err == nil || !strings.Contains(err.Error(), "-b "+shared.Address+",reuseport") {
		t.Errorf("beside one with reuseport: %v", err)
	}
}

// TestOpenBothFamilies: a wildcard that takes IPv4, too, stands in the way of
// another, of our own or not, and what helps is v6only.
func TestOpenBothFamilies(t *testing.T) {
	needIPv6(t)
	four := mustOpen(t, "0.0.0.0:0", AnyFamily)
	_, port, _ := strings.Cut(four.Address, ":")
	for _, spec := range []string{"[::]:" + port, ":" + port} {
		_, err := Open(mustParse(t, spec), AnyFamily, 0)
		if err == nil || !strings.Contains(err.Error(), "add v6only: -b "+spec+",v6only") {
			t.Errorf("%s beside another's 0.0.0.0: %v", spec, err)
		}
	}
	mustOpen(t, "[::]:"+port+",v6only", AnyFamily).Close()
	four.Close()
	for _, r := range []string{"", ",r"} {
		six := "[::]:" + port + r
		want := "0.0.0.0:" + port + r
		for _, two := range [][]string{{want, six}, {six, want}} {
			got, err := OpenAll(t.Context(), []Spec{mustParse(t, two[0]), mustParse(t, two[1])}, AnyFamily, 0)
			if err == nil {
				t.Errorf("%v: %v", two, CloseAll(got))
				continue
			}
			only := mustParse(t, six)
			only.V6Only = true
			for _, part := range []string{"cannot bind " + two[1], "another -b of this same command, " + two[0], "only IPv6: -b " + only.String()} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v: %v; lacks %q", two, err, part)
				}
			}
		}
		for _, two := range [][]string{{want, "127.0.0.1:" + port + r}, {six, "[::1]:" + port + r}} {
			got, err := OpenAll(t.Context(), []Spec{mustParse(t, two[0]), mustParse(t, two[1])}, AnyFamily, 0)
			if err == nil || !strings.Contains(err.Error(), "another -b of this same command, "+two[0]+"; one of them is enough") {
				t.Errorf("%v: %v, %v", two, got, err)
			}
		}
	}
}

func TestAddressList(t *testing.T) {
	ips := []netip.Addr{
		netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("2001:db8::1"),
	}
	if got, want := addressList(ips), "127.0.0.1, 2001:db8::1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestReuseAddr shows what r is for: a connection that our side closed first
// stays behind in TIME_WAIT and keeps the port.
func TestReuseAddr(t *testing.T) {
	s := mustOpen(t, "127.0.0.1:0,r", AnyFamily)
	c, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	fd, _, err := unix.Accept(s.FD)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Fatalf("the closed connection gave %d bytes, %v", n, err)
	}
	c.Close()
	address := s.Address
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(mustParse(t, address+",r"), AnyFamily, 0)
	if err != nil {
		t.Fatalf("with r: %v", err)
	}
	again.Close()
	if s, err := Open(mustParse(t, address), AnyFamily, 0); err == nil {
		s.Close()
		t.Error("a port in TIME_WAIT could be bound")
	} else if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "-b "+address+",r") {
		t.Errorf("without r: %v; want EADDRINUSE with the way out", err)
	}
}

// TestLingeringWithoutR: r helps only if the server before had it, too.
func TestLingeringWithoutR(t *testing.T) {
	s := mustOpen(t, "127.0.0.1:0", AnyFamily)
	c, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fd, _, err := unix.Accept(s.FD)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	address := s.Address
	s.Close()
	for _, suffix := range []string{"", ",r"} {
		_, err := Open(mustParse(t, address+suffix), AnyFamily, 0)
		if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "connections of a server that was started without r are still there") {
			t.Errorf("%q: %v", suffix, err)
		}
	}
}

// TestBoundAndSilent: who does not listen is in no table.
func TestBoundAndSilent(t *testing.T) {
	silent, err := OpenAll(t.Context(), []Spec{mustParse(t, "127.0.0.1:0")}, AnyFamily, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(silent)
	_, err = Open(mustParse(t, silent[0].Address), AnyFamily, 0)
	if !errors.Is(err, unix.EADDRINUSE) || strings.Contains(err.Error(), "TIME_WAIT") || !strings.Contains(err.Error(), "does not listen") {
		t.Errorf("%v", err)
	}
}

// TestOpenTooMany: an own word for a limit of the system.
func TestOpenTooMany(t *testing.T) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	one := mustOpen(t, "127.0.0.1:0", AnyFamily)
	room := unix.Rlimit{Cur: uint64(one.FD + spare), Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &room); err != nil {
		t.Fatal(err)
	}
	_, err := OpenAll(t.Context(), []Spec{mustParse(t, "127.0.0.1:0")}, AnyFamily, 0)
	if !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "cannot serve 1 sockets: too many open files for anything else; we may have") {
		t.Errorf("%v", err)
	}
	few := unix.Rlimit{Cur: 3, Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{"127.0.0.1:0", "udp:127.0.0.1:0", "unix:@" + t.Name()} {
		_, err := Open(mustParse(t, spec), AnyFamily, 0)
		if !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "we may have 3 descriptors (RLIMIT_NOFILE): raise that limit") {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
