// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// until receives calls until ch is closed and returns their commands.
func (f *fixture) until(ch <-chan struct{}) (got []string) {
	f.t.Helper()
	if ch == nil {
		f.t.Fatal("nothing has arrived")
	}
	late := time.After(patience)
	for {
		select {
		case c := <-f.srv.Calls():
			got = append(got, c.Command)
			c.Answer("", nil)
		case <-ch:
			return got
		case <-late:
			f.t.Fatalf("Arrived doesn't end; got %q", got)
		}
	}
}

func TestNothingArrived(t *testing.T) {
	f := serve(t, nil)
	if f.srv.Arrived() != nil {
		t.Error("something arrived")
	}
	c := f.dial()
	eventually(t, "accepted", func() bool { return f.count() == 1 })
	eventually(t, "idle", func() bool { return f.srv.Arrived() == nil })
	c.say(`{"command":`) // half a line is no request
	eventually(t, "half a line read", func() bool {
		f.srv.mu.Lock()
		defer f.srv.mu.Unlock()
		for k := range f.srv.conns {
			k.mu.Lock()
			defer k.mu.Unlock()
			return k.read > 0 && k.read == k.handled
		}
		return false
	})
	if f.srv.Arrived() != nil {
		t.Error("half a line arrived")
	}
	eventually(t, "no arrival is left", func() bool { return f.srv.awaited.Load() == 0 })
}

// New connections and old ones, whole lines and lines ended by the end.
func TestArrived(t *testing.T) {
	f := serve(t, nil)
	old := f.dial()
	old.say(`{"command":"ehlo"}` + "\n")
	f.call().Answer("", nil)
	old.line()
	for round := range 20 {
		want := 3
		old.say(`{"command":"old"}` + "\n" + `{"command":"old"}` + "\n" + `{"com`)
		half := f.dial()
		half.say(`{"command":"half"}`)
		half.halfClose()
		for range 10 {
			c := f.dial()
			c.say(`{"command":"worker:ack","pid":1}` + "\n")
			_ = c.Close()
			want++
		}
		first, second := f.srv.Arrived(), f.srv.Arrived()
		got := f.until(first)
		if len(got) != want {
			t.Fatalf("round %d: got %q, want %d calls", round, got, want)
		}
		f.until(second)
		old.say(`mand":"rest"}` + "\n")
		f.call().Answer("", nil)
	}
}

// More than one read's worth on one connection, half of it still in the kernel.
func TestArrivedWithALotUnread(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	const n = 500
	line := `{"command":"` + strings.Repeat("x", 100) + `"}` + "\n"
	c.say(strings.Repeat(line, n))
	if got := f.until(f.srv.Arrived()); len(got) != n {
		t.Errorf("got %d of %d", len(got), n)
	}
}

func TestArrivedEndsWhenItsConnectionDoes(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	c.say(strings.Repeat(`{"command":"a"}`+"\n", 3))
	first := f.call()
	eventually(t, "second in hand", func() bool {
		first.conn.mu.Lock()
		defer first.conn.mu.Unlock()
		return first.conn.handing
	})
	ch := f.srv.Arrived()
	first.AnswerAndClose("", nil)
	got := f.until(ch)
	if len(got) > 1 {
		t.Errorf("got %q behind an ACK that closes", got)
	}
}

// Clients that never stop don't put a deadline off for ever.
func TestArrivedEndsUnderFlood(t *testing.T) {
	f := serve(t, nil)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	flood := func(session func(c net.Conn)) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := net.Dial("unix", f.path)
				if err != nil {
					continue // the backlog is full
				}
				session(c)
				_ = c.Close()
			}
		})
	}
	defer func() { close(stop); f.srv.Close(0); wg.Wait() }()
	flood(func(c net.Conn) { // until evicted
		wg.Go(func() { _, _ = io.Copy(io.Discard, c) })
		for err := error(nil); err == nil; {
			_, err = io.WriteString(c, `{"command":"a"}`+"\n")
		}
	})
	flood(func(c net.Conn) { _, _ = io.WriteString(c, `{"command":"b"}`+"\n") })
	for range 3 {
		f.call().Answer("", nil)
		if ch := f.srv.Arrived(); ch != nil {
			f.until(ch)
		}
	}
	if f.srv.awaited.Load() != 0 {
		t.Error("somebody still waits")
	}
}

const childEnv = "CONTROL_TEST_STOPPED_MASTER"

// stoppedMaster is a master whose deadline is a line on stdin.
func stoppedMaster(path string) int {
	l, err := listenOn(path)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	s, err := New(l, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	due := make(chan struct{})
	go func() { _, _ = bufio.NewReader(os.Stdin).ReadString('\n'); close(due) }()
	fmt.Println("armed")
	var arrived <-chan struct{}
	for {
		select {
		case c := <-s.Calls():
			fmt.Println(c.Command)
			c.AnswerAndClose("", nil)
			continue
		case <-due:
			due = nil
			if arrived = s.Arrived(); arrived != nil {
				continue
			}
		case <-arrived:
		}
		fmt.Println("deadline")
		s.Close(time.Second)
		return 0
	}
}

// An ACK that came while the master was stopped is older than the deadline
// that passed meanwhile, whichever of the two the master sees first.
func TestStoppedMaster(t *testing.T) {
	l := listen(t)
	path := l.Name()
	_ = l.Close()
	_ = os.Remove(path)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	out := bufio.NewReader(stdout)
	next := func() string { s, _ := out.ReadString('\n'); return strings.TrimSpace(s) }
	if got := next(); got != "armed" {
		t.Fatalf("master says %q", got)
	}
	_ = unix.Kill(cmd.Process.Pid, unix.SIGSTOP)
	var ws unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &ws, unix.WUNTRACED, nil); err != nil || !ws.Stopped() {
		t.Fatalf("not stopped: %v, %v", ws, err)
	}
	_, _ = io.WriteString(stdin, "now\n")
	for range 3 {
		c := dial(t, path)
		c.say(`{"command":"worker:ack"}`)
		_ = c.Close()
	}
	_ = unix.Kill(cmd.Process.Pid, unix.SIGCONT)
	got := []string{next(), next(), next(), next()}
	want := "worker:ack worker:ack worker:ack deadline"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
}
