// SPDX-License-Identifier: MIT

package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// control is a control socket whose n-th connection is treated by the n-th
// step, and all later ones by the last. It returns the lines it reads.
func control(t *testing.T, path string, steps ...func(net.Conn, *bufio.Reader)) <-chan string {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(nc)
			if step := steps[min(i, len(steps)-1)]; step != nil {
				line, _ := in.ReadString('\n')
				lines <- line
				step(nc, in)
			}
			nc.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return lines
}

// setManager makes the environment speak of our own parent.
func setManager(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	t.Setenv("EINHORN_SOCK_PATH", path)
	t.Setenv("EINHORN_MASTER_PID", strconv.Itoa(os.Getppid()))
	return path
}

func wantLine(t *testing.T, lines <-chan string, want string) {
	t.Helper()
	select {
	case got := <-lines:
		if got != want {
			t.Errorf("the master read %q, want %q", got, want)
		}
	default:
		t.Errorf("the master read nothing, want %q", want)
	}
}

var ackLine = fmt.Sprintf("{\"command\":\"worker:ack\",\"pid\":%d}\n", os.Getpid())

func TestAckReplies(t *testing.T) {
	for name, reply := range map[string]string{
		"seed": "\"Acknowledged!\"\n", "any": "\x00\xff\n", "half": "half", "endless": strings.Repeat("x", 2*maxReply), "two": "a\nb\n",
	} {
		t.Run(name, func(t *testing.T) {
			lines := control(t, setManager(t), func(nc net.Conn, _ *bufio.Reader) { io.WriteString(nc, reply) })
			if err := Ack(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantLine(t, lines, ackLine)
		})
	}
}

func TestAckToEinhornWhichClosesInSilence(t *testing.T) {
	lines := control(t, setManager(t), func(net.Conn, *bufio.Reader) {})
	if err := Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantLine(t, lines, ackLine)
}

func TestAckWithoutAnyReply(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	lines := control(t, setManager(t), func(nc net.Conn, in *bufio.Reader) { in.ReadByte() })
	if err := Ack(ctx); err != nil {
		t.Fatal(err)
	}
	wantLine(t, lines, ackLine)
}

func TestAckWaitsForTheMaster(t *testing.T) {
	// Away, then a dead socket file, then one that resets, then one that dies
	// after reading, and at last one that answers.
	path := setManager(t)
	result := make(chan error, 1)
	go func() { result <- Ack(t.Context()) }()
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	nc, err := dead.Accept()
	if err != nil {
		t.Fatal(err)
	}
	nc.Close() // unread bytes make this a reset
	dead.Close()
	for range 2 {
		// Each connection is refused: nobody listens on the file.
		if _, err := net.Dial("unix", path); err == nil {
			t.Fatal("want it refused")
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	lines := control(t, path, nil, func(net.Conn, *bufio.Reader) {}, func(nc net.Conn, _ *bufio.Reader) { io.WriteString(nc, "ok\n") })
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	wantLine(t, lines, ackLine)
}

func TestAckGivesUp(t *testing.T) {
	path := setManager(t)
	synctest.Test(t, func(t *testing.T) { // no try takes time, only the pauses do
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		err := Ack(ctx)
		if !errors.Is(err, os.ErrNotExist) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), path) {
			t.Errorf("want what was wrong, with which socket, and that the time was over; got %v", err)
		}
	})
}

func TestAckToAStranger(t *testing.T) {
	lines := control(t, setManager(t), func(net.Conn, *bufio.Reader) {})
	t.Setenv("EINHORN_MASTER_PID", strconv.Itoa(os.Getpid()))
	for _, err := range []error{Ack(t.Context()), Ping(t.Context(), "x")} {
		if !errors.Is(err, ErrNotOurMaster) {
			t.Errorf("want ErrNotOurMaster, got %v", err)
		}
	}
	t.Setenv("EINHORN_MASTER_PID", "me")
	if err := Ack(t.Context()); err == nil || !strings.Contains(err.Error(), `EINHORN_MASTER_PID="me"`) {
		t.Errorf("want the variable named, got %v", err)
	}
	if len(lines) != 0 {
		t.Errorf("the stranger was told %q", <-lines)
	}
}

func TestPing(t *testing.T) {
	lines := control(t, setManager(t), func(net.Conn, *bufio.Reader) {})
	if err := Ping(t.Context(), "a\n\"b"); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("{\"command\":\"worker:ping\",\"pid\":%d,\"request_id\":\"a\\n\\\"b\"}\n", os.Getpid())
	if got := <-lines; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := Ping(t.Context(), strings.Repeat("x", MaxRequestID+1)); err == nil {
		t.Error("want an error for an id that is too long")
	}
}
