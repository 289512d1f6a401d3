// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUDP(t *testing.T) {
	s := mustOpen(t, "udp:127.0.0.1:0,name=dns", AnyFamily)
	if s.Network != "udp" || s.Name != "dns" {
		t.Errorf("%+v", s)
	}
	if got := option(t, s.FD, unix.SOL_SOCKET, unix.SO_TYPE); got != unix.SOCK_DGRAM {
		t.Errorf("type %d", got)
	}
	plain, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(plain)
	for _, buffer := range []int{unix.SO_RCVBUF, unix.SO_SNDBUF} {
		if got, want := option(t, s.FD, unix.SOL_SOCKET, buffer), option(t, plain, unix.SOL_SOCKET, buffer); got != want {
			t.Errorf("a buffer of %d, and the system's is %d", got, want)
		}
	}
	c, err := net.Dial("udp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, _, err := unix.Recvfrom(s.FD, b, 0); err != nil || string(b[:n]) != "hello" {
		t.Errorf("received %q, %v", b[:n], err)
	}
	_, err = Open(mustParse(t, "udp:"+s.Address), AnyFamily, 0)
	if !errors.Is(err, unix.EADDRINUSE) || strings.Contains(err.Error(), "TIME_WAIT") {
		t.Errorf("a second one: %v", err)
	}
	if !strings.Contains(err.Error(), "held by another -b of this same command") {
		t.Errorf("a second one: the holder is not named: %v", err)
	}
}

func TestV6Only(t *testing.T) {
	needIPv6(t)
	s := mustOpen(t, ":0,v6only", AnyFamily)
	if reaches(t, s, "127.0.0.1") || !reaches(t, s, "::1") {
		t.Errorf("%s takes IPv4, or no IPv6", s.Address)
	}
	u := mustOpen(t, "udp:[::]:0,v6only", AnyFamily)
	if option(t, u.FD, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) == 0 {
		t.Errorf("%s takes IPv4", u.Address)
	}
	if option(t, mustOpen(t, "udp:[::]:0", AnyFamily).FD, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) != 0 {
		t.Error("udp:[::] takes no IPv4")
	}
}

func TestReusePort(t *testing.T) {
	for _, prefix := range []string{"", "udp:"} {
		s := mustOpen(t, prefix+"127.0.0.1:0,reuseport", AnyFamily)
		mustOpen(t, prefix+s.Address+",reuseport", AnyFamily)
		if _, err := Open(mustParse(t, prefix+s.Address), AnyFamily, 0); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("%swithout reuseport: %v", prefix, err)
		}
		alone := mustOpen(t, prefix+"127.0.0.1:0", AnyFamily)
		_, err := Open(mustParse(t, prefix+alone.Address+",reuseport"), AnyFamily, 0)
		if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "has to be set by all") {
			t.Errorf("%sbeside one without reuseport: %v", prefix, err)
		}
	}
}

// handOver leaves a descriptor as whoever starts us would.
func handOver(t *testing.T, s *Socket) int {
	t.Helper()
	fd, err := unix.Dup(s.FD)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func TestFD(t *testing.T) {
	for _, made := range []string{"127.0.0.1:0", "udp:127.0.0.1:0", "unix:" + inDir(t, "a.sock")} {
		s := mustOpen(t, made, AnyFamily)
		fd := handOver(t, s)
		got, err := Open(mustParse(t, fmt.Sprintf("fd:%d,name=x", fd)), AnyFamily, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got.FD != fd || got.Address != s.Address || got.Network != s.Network || got.Name != "x" {
			t.Errorf("%s became %+v", made, got)
		}
		if flags(t, fd, unix.F_GETFD)&unix.FD_CLOEXEC == 0 || flags(t, fd, unix.F_GETFL)&unix.O_NONBLOCK != 0 {
			t.Errorf("%s: not close-on-exec, or no longer blocking", made)
		}
		if _, err := Open(mustParse(t, fmt.Sprintf("fd:%d,n", fd)), AnyFamily, 0); err != nil || flags(t, fd, unix.F_GETFL)&unix.O_NONBLOCK == 0 {
			t.Errorf("%s,n: %v, or it blocks", made, err)
		}
		if s.Spec.Kind == Unix {
			if _, err := os.Lstat(s.Address); err != nil {
				t.Errorf("the path of a socket that is not ours: %v", err)
			}
		}
	}
}

// TestFDErrors: an error says what is there, and what would be right.
func TestFDErrors(t *testing.T) {
	socket := func(family, kind int, bound bool) int {
		fd, err := unix.Socket(family, kind, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if bound {
			if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
				t.Fatal(err)
			}
		}
		return fd
	}
	var pipe [2]int
	if err := unix.Pipe(pipe[:]); err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	null, err := unix.Open(os.DevNull, unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := unix.Open("/", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range []int{pipe[0], pipe[1], pair[0], pair[1], null, dir} {
		t.Cleanup(func() { unix.Close(fd) })
	}
	for fd, want := range map[int]string{
		99999:   "is not open",
		pipe[0]: "is a pipe, not a socket: whoever starts us has to leave a socket open there",
		null:    "is a terminal or another device, not a socket",
		dir:     "is a directory, not a socket",
		pair[0]: "is a connection (unix);",
		socket(unix.AF_INET, unix.SOCK_STREAM, true):  "is a socket that does not listen (tcp)",
		socket(unix.AF_INET, unix.SOCK_STREAM, false): "is a socket that does not listen (tcp)",
		socket(unix.AF_INET, unix.SOCK_DGRAM, false):  "is a socket for datagrams that is not bound (udp)",
		socket(unix.AF_UNIX, unix.SOCK_DGRAM, false):  "is a socket for datagrams that is not bound (unixgram)",
	} {
		_, err := Open(Spec{Kind: FD, FD: fd}, AnyFamily, 0)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("cannot bind fd:%d: descriptor %d %s", fd, fd, want)) ||
			!strings.Contains(err.Error(), "right is a TCP or UNIX socket that listens") {
			t.Errorf("%v; want %q", err, want)
		}
		if want != "is not open" {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
				t.Errorf("what was wrong is closed: %v", err)
			}
		}
	}
}

func TestListenFDs(t *testing.T) {
	for _, c := range []struct{ pid, fds, names, want string }{
		{"42", "1", "", "unknown"},
		{"42", "3", "", "unknown unknown unknown"},
		{"42", "2", "web:admin", "web admin"},
		{"42", "2", "web:", "web "},
		{"", "2", "", "! not both set"},
		{"42", "", "", "! not both set"},
		{"41", "2", "", `! meant for process "41"`},
		{"42", "0", "", "! LISTEN_FDS is 0"},
		{"42", "-1", "", `! LISTEN_FDS is "-1"`},
		{"42", "99999999", "", `! LISTEN_FDS is "99999999"`},
		{"42", "2", "a", "! LISTEN_FDNAMES has 1 names, and LISTEN_FDS is 2"},
	} {
		env := map[string]string{"LISTEN_PID": c.pid, "LISTEN_FDS": c.fds, "LISTEN_FDNAMES": c.names}
		names, err := listenFDs(func(name string) string { return env[name] }, 42)
		want, bad := strings.CutPrefix(c.want, "! ")
		if bad && (err == nil || !strings.Contains(err.Error(), want)) || !bad && (err != nil || strings.Join(names, " ") != want) {
			t.Errorf("%v: %q, %v", env, names, err)
		}
	}
}

func TestDistinct(t *testing.T) {
	a, b := mustParse(t, "fd:3,name=web"), mustParse(t, "systemd")
	for _, c := range []struct {
		sockets []*Socket
		want    string
	}{
		{[]*Socket{{Spec: b, FD: 3, Name: "web"}, {Spec: b, FD: 4, Name: "web"}}, ""},
		{[]*Socket{{Spec: a, FD: 3, Name: "web"}, {Spec: b, FD: 4, Name: "x"}}, ""},
		{[]*Socket{{Spec: a, FD: 3, Name: "web"}, {Spec: b, FD: 3, Name: "x"}}, "both stand for descriptor 3"},
		{[]*Socket{{Spec: a, FD: 3, Name: "web"}, {Spec: b, FD: 4, Name: "web"}}, "both sockets are called web"},
		{[]*Socket{{Spec: b, FD: 3, Name: "web"}, {Spec: a, FD: 4, Name: "web"}}, "both sockets are called web"},
	} {
		err := distinct(c.sockets)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v; want %q", err, c.want)
		}
	}
}
