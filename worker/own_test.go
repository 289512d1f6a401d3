// SPDX-License-Identifier: MIT

package worker

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// own gives us a connection of our own, and returns the manager's end.
func own(t *testing.T) net.Conn {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "manager")
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { nc.Close(); syscall.Close(fds[0]) })
	t.Setenv("EINHORN_SOCK_FD", strconv.Itoa(fds[0]))
	return nc
}

func TestAckAndPingOnOurOwnConnection(t *testing.T) {
	setManager(t) // nobody listens there
	nc := own(t)
	in := bufio.NewReader(nc)
	result := make(chan error, 1)
	read := func(want, answer string) {
		t.Helper()
		line, err := in.ReadString('\n')
		if err != nil || line != want+"\n" {
			t.Errorf("the master read %q, %v, want %q", line, err, want)
		}
		fmt.Fprint(nc, answer)
		if err := <-result; err != nil {
			t.Error(err)
		}
	}
	go func() { result <- Ack(t.Context()) }()
	read(fmt.Sprintf(`{"command":"worker:ack","pid":%d,"id":1}`, os.Getpid()), "{}\n")
	for range 2 { // it is kept open
		go func() { result <- Ping(t.Context(), "a") }()
		read(fmt.Sprintf(`{"command":"worker:ping","pid":%d,"request_id":"a"}`, os.Getpid()), "")
	}
}

func TestControlSocketComesFirst(t *testing.T) {
	lines := control(t, setManager(t), func(nc net.Conn, _ *bufio.Reader) { fmt.Fprintln(nc, "ok") })
	own(t)
	if err := Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantLine(t, lines, ackLine)
}

func TestWhatIsNotOurOwnConnection(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for _, value := range []string{"", "x", "-1", "0", "1", "99999", fmt.Sprint(file.Fd()), fmt.Sprint(socket.Fd())} {
		t.Setenv("EINHORN_SOCK_FD", value)
		if nc, err := ownConn(); err == nil {
			nc.Close()
			t.Errorf("%q is taken for our own connection", value)
		}
	}
	path := listenAlone(t)
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	dialed, err := nc.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	t.Setenv("EINHORN_SOCK_FD", fmt.Sprint(dialed.Fd()))
	if nc, err := ownConn(); err == nil || !strings.Contains(err.Error(), "no connection between") {
		if err == nil {
			nc.Close()
		}
		t.Errorf("a connection to another server is taken for our own: %v", err)
	}
}

// listenAlone is a server that accepts nothing.
func listenAlone(t *testing.T) (path string) {
	t.Helper()
	path = setManager(t)
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return path
}
