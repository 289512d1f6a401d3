// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDefer: a connection without a byte stays with the kernel, while later ones
// are accepted, and is there as soon as it has one.
func TestDefer(t *testing.T) {
	needIPv6(t)
	handed := mustOpen(t, "127.0.0.1:0", AnyFamily)
	for _, spec := range []string{"127.0.0.1:0,defer=3600", "[::1]:0,defer=3600", fmt.Sprintf("fd:%d,defer=3600", handOver(t, handed))} {
		s := mustOpen(t, spec, AnyFamily)
		silent, busy := connect(t, s), connect(t, s)
		for _, c := range []net.Conn{busy, silent} {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if got, want := accepted(t, s), c.LocalAddr().String(); got != want {
				t.Errorf("%s: accepted %s first, want %s", spec, got, want)
			}
		}
	}
}

func connect(t *testing.T, s *Socket) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// accepted accepts a connection, and returns the address of its other end.
func accepted(t *testing.T, s *Socket) string {
	t.Helper()
	fd, sa, err := unix.Accept(s.FD)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	address, err := textOf(sa)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// TestDeferSteps: the kernel's seconds, as the manual has them.
func TestDeferSteps(t *testing.T) {
	for asked, want := range map[int]int{1: 1, 2: 3, 4: 7, 8: 15, 15: 15, 16: 31, 32: 63, 60: 63} {
		s := mustOpen(t, fmt.Sprintf("127.0.0.1:0,defer=%d", asked), AnyFamily)
		if got := option(t, s.FD, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT); got != want {
			t.Errorf("defer=%d is %d seconds, want %d", asked, got, want)
		}
	}
	plain := mustOpen(t, "127.0.0.1:0", AnyFamily)
	if got := option(t, plain.FD, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT); got != 0 {
		t.Errorf("without defer it is %d seconds", got)
	}
}

// TestDeferIsTCP: what a descriptor is, is known only when it is looked at.
func TestDeferIsTCP(t *testing.T) {
	for _, made := range []string{"udp:127.0.0.1:0", "unix:" + inDir(t, "a.sock")} {
		fd := handOver(t, mustOpen(t, made, AnyFamily))
		_, err := Open(mustParse(t, fmt.Sprintf("fd:%d,defer", fd)), AnyFamily, 0)
		want := fmt.Sprintf("cannot bind fd:%d,defer: defer is for TCP, and descriptor %d is something else (%s); leave it out: -b fd:%d",
			fd, fd, made[:strings.IndexByte(made, ':')], fd)
		if !errors.Is(err, ErrUsage) || err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
	}
}
