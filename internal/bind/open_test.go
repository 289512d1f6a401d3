// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func mustParse(t *testing.T, s string) Spec {
	t.Helper()
	spec, err := ParseSpec(s)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func mustOpen(t *testing.T, spec string, family Family) *Socket {
	t.Helper()
	s, err := Open(mustParse(t, spec), family, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func needIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6 loopback:", err)
	}
	l.Close()
}

func option(t *testing.T, fd, level, name int) int {
	t.Helper()
	n, err := unix.GetsockoptInt(fd, level, name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func flags(t *testing.T, fd, cmd int) int {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), cmd, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// reaches tells whether the socket takes a connection to host at its port.
func reaches(t *testing.T, s *Socket, host string) bool {
	t.Helper()
	port := netip.MustParseAddrPort(s.Address).Port()
	c, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		return false
	}
	defer c.Close()
	fd, _, err := unix.Accept(s.FD)
	if err != nil {
		t.Fatalf("connected to %s, but %s accepts nothing: %v", host, s.Address, err)
	}
	unix.Close(fd)
	return true
}

func TestOpenFlags(t *testing.T) {
	for _, c := range []struct {
		spec            string
		nonblock, reuse bool
	}{
		{"127.0.0.1:0", false, false},
		{"127.0.0.1:0,n", true, false},
		{"127.0.0.1:0,r", false, true},
		{"127.0.0.1:0,r,n", true, true},
	} {
		s := mustOpen(t, c.spec, AnyFamily)
		if got := flags(t, s.FD, unix.F_GETFL)&unix.O_NONBLOCK != 0; got != c.nonblock {
			t.Errorf("%s: O_NONBLOCK is %v", c.spec, got)
		}
		if got := option(t, s.FD, unix.SOL_SOCKET, unix.SO_REUSEADDR) != 0; got != c.reuse {
			t.Errorf("%s: SO_REUSEADDR is %v", c.spec, got)
		}
		if flags(t, s.FD, unix.F_GETFD)&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: not close-on-exec", c.spec)
		}
		at, err := netip.ParseAddrPort(s.Address)
		if err != nil || at.Port() == 0 || at.Addr().String() != "127.0.0.1" {
			t.Errorf("%s: Address = %q", c.spec, s.Address)
		}
		if s.Spec != mustParse(t, c.spec) {
			t.Errorf("%s: Spec = %+v", c.spec, s.Spec)
		}
		if !c.nonblock && !reaches(t, s, "127.0.0.1") {
			t.Errorf("%s does not accept", c.spec)
		}
	}
}

func TestOpenFamilies(t *testing.T) {
	needIPv6(t)
	for _, c := range []struct {
		spec         string
		family       Family
		addr         string
		over4, over6 bool
	}{
		{":0", AnyFamily, "::", true, true},
		{"*:0", AnyFamily, "::", true, true},
		{":0", IPv4Only, "0.0.0.0", true, false},
		{":0", IPv6Only, "::", false, true},
		{"[::]:0", AnyFamily, "::", true, true},
		{"[::]:0", IPv6Only, "::", false, true},
		{"0.0.0.0:0", AnyFamily, "0.0.0.0", true, false},
		{"[::1]:0", AnyFamily, "::1", false, true},
		{"[::1]:0", IPv6Only, "::1", false, true},
		{"127.0.0.1:0", IPv4Only, "127.0.0.1", true, false},
	} {
		s := mustOpen(t, c.spec, c.family)
		if got := netip.MustParseAddrPort(s.Address).Addr().String(); got != c.addr {
			t.Errorf("%s, %s: bound to %s, want %s", c.spec, c.family, got, c.addr)
		}
		if got := reaches(t, s, "127.0.0.1"); got != c.over4 {
			t.Errorf("%s, %s: reached over IPv4: %v", c.spec, c.family, got)
		}
		if got := reaches(t, s, "::1"); got != c.over6 {
			t.Errorf("%s, %s: reached over IPv6: %v", c.spec, c.family, got)
		}
	}
}

func TestOpenWrongFamily(t *testing.T) {
	for spec, family := range map[string]Family{"127.0.0.1:0": IPv6Only, "[::1]:0": IPv4Only} {
		s, err := Open(mustParse(t, spec), family, 0)
		if !errors.Is(err, ErrUsage) || s != nil {
			t.Errorf("%s, %s only: %v, %v; want a usage error", spec, family, s, err)
		}
	}
}

func TestOpenName(t *testing.T) {
	if _, err := net.LookupHost("localhost"); err != nil {
		t.Skip("localhost does not resolve here:", err)
	}
	s := mustOpen(t, "localhost:0", AnyFamily)
	if !netip.MustParseAddrPort(s.Address).Addr().IsLoopback() {
		t.Errorf("localhost is bound to %s", s.Address)
	}
	_, err := Open(Spec{Host: "does-not-exist.invalid"}, AnyFamily, 0)
	if err == nil || errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "cannot resolve does-not-exist.invalid") {
		t.Errorf("unknown name: %v; want a runtime error that names it", err)
	}
}

// A name server that never answers holds nobody up who wants to stop.
func TestAStopEndsALookup(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	was := net.DefaultResolver
	defer func() { net.DefaultResolver = was }()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		stop()
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	if _, err := OpenAll(ctx, []Spec{{Host: "name.example"}}, AnyFamily, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("OpenAll = %v", err)
	}
}

func TestFirst(t *testing.T) {
	a6, b6 := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	a4, b4 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	mapped := netip.MustParseAddr("::ffff:192.0.2.1")
	for _, c := range []struct {
		ips    []netip.Addr
		family Family
		want   netip.Addr // zero: none
	}{
		{[]netip.Addr{a6, b6, a4, b4}, AnyFamily, a4},
		{[]netip.Addr{a6, b6, a4, b4}, IPv4Only, a4},
		{[]netip.Addr{a4, a6, b6}, IPv6Only, a6},
		{[]netip.Addr{a6, b6}, AnyFamily, a6},
		{[]netip.Addr{mapped}, AnyFamily, a4},
		{[]netip.Addr{mapped}, IPv6Only, netip.Addr{}},
		{[]netip.Addr{a6}, IPv4Only, netip.Addr{}},
		{nil, AnyFamily, netip.Addr{}},
	} {
		got, ok := first(c.ips, c.family)
		if ok != c.want.IsValid() || ok && got != c.want {
			t.Errorf("first(%v, %s) = %v, %v; want %v", c.ips, c.family, got, ok, c.want)
		}
	}
}

func TestZone(t *testing.T) {
	ifaces, err := net.Interfaces()
	if err != nil || len(ifaces) == 0 {
		t.Skip("no interfaces to see:", err)
	}
	for _, iface := range ifaces {
		for _, zone := range []string{iface.Name, fmt.Sprint(iface.Index)} {
			n, err := zoneIndex(zone)
			if err != nil || int(n) != iface.Index {
				t.Errorf("zoneIndex(%q) = %d, %v; want %d", zone, n, err, iface.Index)
			}
		}
		if got := zoneName(uint32(iface.Index)); got != iface.Name {
			t.Errorf("zoneName(%d) = %q, want %q", iface.Index, got, iface.Name)
		}
	}
	if _, err := zoneIndex("no-such-iface"); err == nil || !strings.Contains(err.Error(), "no-such-iface") {
		t.Errorf("unknown zone: %v", err)
	}
}

func TestOpenAllOrNone(t *testing.T) {
	const host = "127.0.77.1" // nobody else's, so that the port stays free when closed
	held := mustOpen(t, host+":0", AnyFamily)
	free := mustOpen(t, host+":0", AnyFamily)
	address := free.Address
	free.Close()
	specs := []Spec{mustParse(t, address), mustParse(t, held.Address)}
	if got, err := OpenAll(t.Context(), specs, AnyFamily, 0); !errors.Is(err, unix.EADDRINUSE) || got != nil {
		t.Fatalf("OpenAll = %v, %v; want EADDRINUSE", got, err)
	}
	sockets, err := OpenAll(t.Context(), specs[:1], AnyFamily, 0)
	if err != nil {
		t.Fatalf("the first socket was left open: %v", err)
	}
	if len(sockets) != 1 || sockets[0].Address != address {
		t.Errorf("OpenAll = %+v", sockets)
	}
	sockets[0].Close()
	if sockets[0].FD != -1 || sockets[0].Close() != nil {
		t.Errorf("after Close: fd %d, or a second Close fails", sockets[0].FD)
	}
	if none, err := OpenAll(t.Context(), nil, AnyFamily, 0); err != nil || len(none) != 0 {
		t.Errorf("OpenAll of nothing = %v, %v", none, err)
	}
}

func TestOpenNotOurAddress(t *testing.T) {
	_, err := Open(mustParse(t, "192.0.2.1:0"), AnyFamily, 0) // TEST-NET-1 (RFC 5737): nobody's
	if !errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, ErrUsage) {
		t.Errorf("foreign address: %v; want EADDRNOTAVAIL", err)
	}
}
