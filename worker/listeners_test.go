// SPDX-License-Identifier: MIT

package worker

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// env makes a getenv of pairs.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// handOver returns the number of a descriptor that inherit may close.
func handOver(t *testing.T, f *os.File) string {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(fd)
}

func TestInherit(t *testing.T) {
	for _, old := range []bool{false, true} {
		a, b := listen(t), listen(t)
		fdA, fdB := handOver(t, file(t, a)), handOver(t, file(t, b))
		get := env("EINHORN_FD_COUNT", "2", "EINHORN_FD_0", fdA, "EINHORN_FD_1", fdB, "EINHORN_FDS", "99")
		if old {
			get = env("EINHORN_FDS", fdA+" "+fdB)
		}
		got, err := inherit(get)
		if err != nil {
			t.Fatal(err)
		}
		for i, ln := range got {
			if want := []net.Listener{a, b}[i].Addr().String(); ln.Listener.Addr().String() != want {
				t.Errorf("socket %d: got %v, want %v", i, ln.Listener.Addr(), want)
			}
			raw, err := ln.Listener.(*net.TCPListener).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) {
				if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
					t.Errorf("socket %d: not close-on-exec: %v, %v", i, flags, err)
				}
			})
			ln.close()
		}
		for _, text := range []string{fdA, fdB} {
			fd, _ := strconv.Atoi(text)
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
				t.Errorf("the inherited descriptor %d is still open: %v", fd, err)
			}
		}
	}
}

// datagrams is a socket that nobody has bound.
func datagrams(t *testing.T, family int) *os.File {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "datagrams")
	t.Cleanup(func() { f.Close() })
	return f
}

func TestInheritNone(t *testing.T) {
	for _, get := range []func(string) string{
		env("EINHORN_FD_COUNT", "0", "SERVER_STARTER_PORT", "x"), // einhorn's come first
		env("LISTEN_FDS", "0", "LISTEN_PID", strconv.Itoa(os.Getpid()), "SERVER_STARTER_PORT", "x"),
	} {
		got, err := inherit(get)
		if err != nil || len(got) != 0 {
			t.Errorf("want no socket and no error, got %v, %v", got, err)
		}
	}
}

func TestInheritErrors(t *testing.T) {
	good := listen(t)
	goodFD := handOver(t, file(t, good))
	regular, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer regular.Close()
	nc, err := net.Dial("tcp", good.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	connected, err := nc.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	fd := func(f *os.File) string { return strconv.Itoa(int(f.Fd())) }

	for _, tt := range []struct {
		env  []string
		want string
	}{
		{nil, "none of EINHORN_FD_COUNT, EINHORN_FDS, LISTEN_FDS and SERVER_STARTER_PORT is set"},
		{[]string{"EINHORN_FD_COUNT", "many"}, `EINHORN_FD_COUNT="many" is not a number`},
		{[]string{"EINHORN_FD_COUNT", "-1"}, `EINHORN_FD_COUNT="-1" is not a number`},
		{[]string{"EINHORN_FD_COUNT", "99999999"}, `is not a number of sockets`},
		{[]string{"EINHORN_FD_COUNT", "2", "EINHORN_FD_0", goodFD}, "EINHORN_FD_1 is not set, but EINHORN_FD_COUNT=2"},
		{[]string{"EINHORN_FD_COUNT", "2", "EINHORN_FD_0", goodFD, "EINHORN_FD_1", goodFD}, "are the same file descriptor"},
		{[]string{"EINHORN_FD_COUNT", "1", "EINHORN_FD_0", "x"}, `EINHORN_FD_0="x" is not the number`},
		{[]string{"EINHORN_FD_COUNT", "1", "EINHORN_FD_0", "65533"}, "EINHORN_FD_0=65533: bad file descriptor"},
		{[]string{"EINHORN_FD_COUNT", "1", "EINHORN_FD_0", fd(regular)}, "is not a socket"},
		{[]string{"EINHORN_FD_COUNT", "2", "EINHORN_FD_0", goodFD, "EINHORN_FD_1", fd(connected)}, "does not listen"},
		{[]string{"EINHORN_FDS", goodFD + " x"}, `EINHORN_FDS="x" is not the number`},
	} {
		_, err := inherit(env(tt.env...))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: want an error with %q, got %v", tt.env, tt.want, err)
		}
		if errors.Is(err, ErrNotManaged) != (tt.env == nil) {
			t.Errorf("%q: ErrNotManaged is for an empty environment alone, got %v", tt.env, err)
		}
	}
	// None of the errors may have cost a descriptor.
	n, _ := strconv.Atoi(goodFD)
	if _, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err != nil {
		t.Errorf("the good socket is gone: %v", err)
	}
	unix.Close(n)
}

func TestInheritErrorsOfOtherDialects(t *testing.T) {
	us, goodFD := strconv.Itoa(os.Getpid()), strconv.Itoa(int(file(t, listen(t)).Fd()))
	for _, tt := range []struct {
		env  []string
		want string
	}{
		{[]string{"LISTEN_FDS", "x", "LISTEN_PID", us}, `LISTEN_FDS="x" is not a number`},
		{[]string{"LISTEN_FDS", "-1", "LISTEN_PID", us}, `LISTEN_FDS="-1" is not a number`},
		{[]string{"LISTEN_FDS", "60000", "LISTEN_PID", us}, "LISTEN_FDS=60000, descriptor "},
		{[]string{"SERVER_STARTER_PORT", goodFD}, "which is not like 127.0.0.1:8080=3"},
		{[]string{"SERVER_STARTER_PORT", "80=" + goodFD + ";"}, `SERVER_STARTER_PORT has ""`},
		{[]string{"SERVER_STARTER_PORT", "80=" + goodFD + ";81=x"}, `SERVER_STARTER_PORT=81="x" is not the number`},
		{[]string{"SERVER_STARTER_PORT", "80=" + goodFD + ";81=" + goodFD}, "SERVER_STARTER_PORT=80=" + goodFD + " and SERVER_STARTER_PORT=81=" + goodFD + " are the same"},
	} {
		_, err := inherit(env(tt.env...))
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrNotManaged) {
			t.Errorf("%q: want an error with %q, got %v", tt.env, tt.want, err)
		}
	}
}

// TestInheritsNoStrangersDatagrams: such sockets resolve names, or log.
func TestInheritsNoStrangersDatagrams(t *testing.T) {
	unbound, resolver, logger := datagrams(t, unix.AF_INET), datagrams(t, unix.AF_INET), datagrams(t, unix.AF_UNIX)
	if err := unix.Connect(int(resolver.Fd()), &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 53}); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{unbound, resolver, logger} {
		_, err := inherit(env("EINHORN_FD_COUNT", "1", "EINHORN_FD_0", strconv.Itoa(int(f.Fd()))))
		if want := "is not bound, or has a peer"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestNotManaged(t *testing.T) {
	for _, name := range []string{"EINHORN_FD_COUNT", "EINHORN_FDS", "EINHORN_MASTER_PID", "EINHORN_CHILD_INDEX", "EINHORN_SOCK_PATH", "SERVER_STARTER_PORT", "NOTIFY_SOCKET"} {
		t.Setenv(name, "")
	}
	t.Setenv("LISTEN_FDS", "1") // left over from our parent
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getppid()))
	if Managed() {
		t.Error("want not managed")
	}
	_, listenErr := Listener(0)
	_, indexErr := Index()
	for _, err := range []error{listenErr, indexErr, Ack(t.Context()), Ping(t.Context(), ""), Serve(t.Context(), nil)} {
		if !errors.Is(err, ErrNotManaged) || !strings.Contains(err.Error(), "einhyrningsins -b") {
			t.Errorf("want ErrNotManaged with an example, got %v", err)
		}
	}
}

func TestIndex(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "17": 17, "x": -1, "-2": -1} {
		t.Setenv("EINHORN_CHILD_INDEX", text)
		if got, err := Index(); (err != nil) != (want < 0) || (err == nil && got != want) {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
	t.Setenv("EINHORN_MASTER_PID", "1")
	if !Managed() {
		t.Error("want managed")
	}
}
