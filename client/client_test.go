// SPDX-License-Identifier: MIT

package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"einhyrningsins/internal/wire"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDialWithoutMaster(t *testing.T) {
	path := socketPath(t)
	_, err := Dial(testContext(t), path)
	if !errors.Is(err, ErrNoMaster) || !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), path) {
		t.Errorf("nothing at the path: got %v, want ErrNoMaster with the path", err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	_, err = Dial(testContext(t), path)
	if !errors.Is(err, ErrNoMaster) || !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), path) {
		t.Errorf("a stale socket: got %v, want ErrNoMaster with the path", err)
	}
}

func TestDialBadPaths(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"empty":    "",
		"too long": "/tmp/" + strings.Repeat("x", 120),
		"NUL byte": dir + "/a\x00b",
	} {
		_, err := Dial(testContext(t), path)
		if err == nil || errors.Is(err, ErrNoMaster) {
			t.Errorf("%s: got %v, want an error that is not ErrNoMaster", name, err)
		}
	}
}

func TestPeerCheck(t *testing.T) {
	for _, tt := range []struct {
		server, self uint32
		ok           bool
	}{
		{0, 0, true},
		{0, 1000, true},
		{1000, 1000, true},
		{1000, 0, false},
		{1001, 1000, false},
		{65534, 1000, false},
	} {
		err := peer{pid: 4711, uid: tt.server}.checkFor("/run/x", tt.self)
		if (err == nil) != tt.ok {
			t.Errorf("server of %d, we are %d: got %v", tt.server, tt.self, err)
		}
		if err == nil {
			continue
		}
		for _, want := range []string{"/run/x", "4711", fmt.Sprint(tt.server)} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not name %s", err, want)
			}
		}
	}
}

func TestCallsOnTheWire(t *testing.T) {
	ctx := testContext(t)
	var got []wire.Request
	f := newFake(t, func(s *session, r wire.Request) bool {
		id := r.ID
		r.ID = nil
		got = append(got, r)
		r.ID = id
		return s.ok(r, "did "+r.Command)
	})
	c := connect(t, f.path)
	for _, tt := range []struct {
		call func() (string, error)
		want wire.Request
	}{
		{func() (string, error) { return c.Ehlo(ctx) }, wire.Request{Command: "ehlo"}},
		{func() (string, error) { return c.Help(ctx) }, wire.Request{Command: "help"}},
		{func() (string, error) { return c.Version(ctx) }, wire.Request{Command: "version"}},
		{func() (string, error) { return c.Inc(ctx, 2) }, wire.Request{Command: "inc", Args: []string{"2"}}},
		{func() (string, error) { return c.Dec(ctx, 1) }, wire.Request{Command: "dec", Args: []string{"1"}}},
		{func() (string, error) { return c.SetWorkers(ctx, 5) }, wire.Request{Command: "set_workers", Args: []string{"5"}}},
		{func() (string, error) { return c.Signal(ctx, "usr1", "SIGTERM") }, wire.Request{Command: "signal", Args: []string{"usr1", "SIGTERM"}}},
		{func() (string, error) { return c.Die(ctx, "") }, wire.Request{Command: "die"}},
		{func() (string, error) { return c.Die(ctx, "INT") }, wire.Request{Command: "die", Args: []string{"INT"}}},
		{func() (string, error) { return c.Reload(ctx) }, wire.Request{Command: "reload"}},
		{func() (string, error) { return c.Quieter(ctx) }, wire.Request{Command: "quieter"}},
		{func() (string, error) { return c.Louder(ctx) }, wire.Request{Command: "louder"}},
		{func() (string, error) { return "did worker:ack", c.Ack(ctx, 7) }, wire.Request{Command: "worker:ack", PID: 7}},
		{func() (string, error) { return "did worker:ping", c.Ping(ctx, 7, "a\nb") }, wire.Request{Command: "worker:ping", PID: 7, RequestID: "a\nb"}},
	} {
		got = nil
		message, err := tt.call()
		if err != nil || message != "did "+tt.want.Command {
			t.Errorf("%s: got %q, %v", tt.want.Command, message, err)
		}
		if diff := cmp.Diff([]wire.Request{tt.want}, got); diff != "" {
			t.Errorf("%s on the wire (-want +got):\n%s", tt.want.Command, diff)
		}
	}
}

func TestStatusLongerThanARequestMayBe(t *testing.T) {
	want := wire.Status{PID: 4711, Number: 1000, Program: []string{"x"}}
	for i := range 1000 {
		want.Workers = append(want.Workers, wire.Worker{PID: 5000 + i, Index: i, State: wire.StateReady, PingedRequestID: strings.Repeat("r", 200)})
	}
	f := newFake(t, func(s *session, r wire.Request) bool { return s.status(r, want) })
	got, err := connect(t, f.path).Status(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestErrorsAreTyped(t *testing.T) {
	f := newFake(t, func(s *session, r wire.Request) bool {
		switch r.Command {
		case wire.Dec:
			return s.fail(r, wire.Refused, "cannot lower below 1")
		case wire.Reload:
			return s.fail(r, wire.ReloadFailed, "cannot reload: it exited with status 2")
		}
		s.reply(r, wire.Reply{})
		return true
	})
	c := connect(t, f.path)
	var e *Error
	if _, err := c.Dec(testContext(t), 1); !errors.As(err, &e) || e.Code != Refused || err.Error() != "cannot lower below 1" {
		t.Errorf("got %#v, want the master's error", err)
	}
	if _, err := c.Inc(testContext(t), 1); !errors.As(err, &e) || e.Code != Refused {
		t.Errorf("a failure without error: got %#v, want code refused", err)
	}
	if _, err := c.Reload(testContext(t)); !errors.As(err, &e) || e.Code != ReloadFailed {
		t.Errorf("reload: got %#v, want code reload_failed", err)
	}
}

// Answers come in any order, and a slow callback of one call holds up no other.
func TestMultiplexing(t *testing.T) {
	ctx := testContext(t)
	held := make(chan struct{})
	f := newFake(t, func(s *session, r wire.Request) bool {
		switch r.Command {
		case "slow":
			for range 100 {
				s.reply(r, wire.Reply{OK: true, Wait: true})
			}
			s.f.wg.Add(1)
			go func() { defer s.f.wg.Done(); <-held; s.ok(r, "slow") }()
			return true
		}
		return s.ok(r, r.Args[0])
	})
	c := connect(t, f.path)
	steps, inCallback := 0, make(chan struct{})
	slow := make(chan error, 1)
	go func() {
		_, err := c.Raw(ctx, Request{Command: "slow"}, func(Reply) {
			if steps++; steps == 1 {
				close(inCallback)
				<-held
			}
		})
		slow <- err
	}()
	<-inCallback
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			want := fmt.Sprint(i)
			if r, err := c.Raw(ctx, Request{Command: "echo", Args: []string{want}}, nil); err != nil || r.Message != want {
				t.Errorf("call %d: got %q, %v", i, r.Message, err)
			}
		})
	}
	wg.Wait()
	close(held)
	if err := <-slow; err != nil || steps != 100 {
		t.Errorf("slow call: %d steps, %v; want 100 and no error", steps, err)
	}
}

func TestLostCalls(t *testing.T) {
	var seen atomic.Int32
	f := newFake(t, func(s *session, r wire.Request) bool { seen.Add(1); return false })
	c := connect(t, f.path)
	if _, err := c.Inc(testContext(t), 1); !errors.Is(err, ErrLost) || seen.Load() != 1 {
		t.Errorf("inc: got %v after %d requests, want ErrLost after one: doing it twice would be wrong", err, seen.Load())
	}
	seen.Store(0)
	if _, err := c.Reload(testContext(t)); !errors.Is(err, ErrLost) || seen.Load() != 1 {
		t.Errorf("reload: got %v after %d requests, want ErrLost after one: the first may have done it", err, seen.Load())
	}
	seen.Store(0)
	if _, err := c.Status(testContext(t)); !errors.Is(err, ErrLost) || seen.Load() != attempts {
		t.Errorf("status: got %v after %d requests, want ErrLost after %d", err, seen.Load(), attempts)
	}
}

func TestConnectsAgain(t *testing.T) {
	var n atomic.Int32
	f := newFake(t, func(s *session, r wire.Request) bool {
		if n.Add(1) == 2 {
			return false
		}
		return s.ok(r, "hello")
	})
	c := connect(t, f.path)
	for range 3 { // the second dies once and is repeated on a new connection
		if _, err := c.Ehlo(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	c.mu.Lock()
	cn := c.conn
	c.mu.Unlock()
	f.hangUp()
	<-cn.done
	if c.Connected() {
		t.Error("Connected after the master hung up")
	}
	if _, err := c.Inc(testContext(t), 1); err != nil || !c.Connected() {
		t.Errorf("inc on a broken connection: %v; want a new one, since nothing was sent", err)
	}
}

func TestRefusedAtTheDoor(t *testing.T) {
	for name, line := range map[string]string{
		"string": `"cannot serve you: you are user 7"` + "\n",
		"object": `{"request_id":null,"ok":false,"error":{"code":"refused","message":"cannot serve you: you are user 7"}}` + "\n",
	} {
		path := socketPath(t)
		ln, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				nc.Write([]byte(line))
				nc.Close()
			}
		})
		c := connect(t, path)
		var e *Error
		if _, err := c.Status(testContext(t)); !errors.As(err, &e) || e.Code != Refused || !strings.Contains(e.Message, "user 7") {
			t.Errorf("%s: got %v, want the refusal", name, err)
		}
		ln.Close()
		wg.Wait()
	}
}

func TestDialRaw(t *testing.T) {
	f := newFake(t, func(s *session, r wire.Request) bool { return s.ok(r, "hello") })
	nc, err := DialRaw(testContext(t), f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprintln(nc, `{"command":"ehlo","id":7}`)
	if line, err := bufio.NewReader(nc).ReadString('\n'); err != nil || line != `{"request_id":7,"ok":true,"message":"hello"}`+"\n" {
		t.Errorf("got %q, %v", line, err)
	}
	if nc, err := DialRaw(testContext(t), f.path+"x"); !errors.Is(err, ErrNoMaster) || nc != nil {
		t.Errorf("nobody there: got %v, %v; want ErrNoMaster", nc, err)
	}
}

func TestNoEinhyrningsinsThere(t *testing.T) {
	f := newFake(t, func(s *session, r wire.Request) bool { s.line([]byte("220 smtp ready\n")); return true })
	if _, err := connect(t, f.path).Inc(testContext(t), 1); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "einhyrningsins?") {
		t.Errorf("got %v, want a doubt about who that is", err)
	}
}

func TestContextEndsTheWaitOnly(t *testing.T) {
	asked := make(chan wire.Request, 1)
	f := newFake(t, func(s *session, r wire.Request) bool {
		if r.Command == wire.Inc {
			asked <- r
			return true
		}
		select {
		case old := <-asked:
			s.ok(old, "late")
		default:
		}
		return s.ok(r, "hello")
	})
	c := connect(t, f.path)
	ctx, cancel := context.WithCancel(testContext(t))
	ended := make(chan error)
	go func() { _, err := c.Inc(ctx, 1); ended <- err }()
	r := <-asked
	asked <- r
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	if msg, err := c.Ehlo(testContext(t)); err != nil || msg != "hello" || !c.Connected() {
		t.Errorf("the next call: %q, %v; want hello in spite of the late answer", msg, err)
	}
}

func TestTooLongARequest(t *testing.T) {
	f := newFake(t, func(s *session, r wire.Request) bool { return s.ok(r, "hello") })
	c := connect(t, f.path)
	if _, err := c.Signal(testContext(t), strings.Repeat("x", wire.MaxLine)); err == nil || errors.Is(err, ErrLost) {
		t.Errorf("got %v, want an error of our own", err)
	}
	if _, err := c.Ehlo(testContext(t)); err != nil {
		t.Errorf("the connection did not survive: %v", err)
	}
}

func TestClose(t *testing.T) {
	asked := make(chan struct{})
	f := newFake(t, func(*session, wire.Request) bool { close(asked); return true })
	c := connect(t, f.path)
	ended := make(chan error)
	go func() { _, err := c.Status(context.Background()); ended <- err }()
	<-asked
	c.Close()
	c.Close()
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("call under way: got %v, want ErrClosed", err)
	}
	if _, err := c.Status(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("later call: got %v, want ErrClosed", err)
	}
	if os.Getpid() == c.serverPID() && c.Connected() {
		t.Error("Connected after Close")
	}
}

func FuzzDeliver(f *testing.F) {
	for _, s := range []string{`{"request_id":1,"ok":true}`, `"no"`, `{"request_id":null,"ok":false}`, `{"request_id":"1"}`, `[]`, `{`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		cl := &call{more: make(chan struct{}, 1)}
		cn := &conn{calls: map[uint64]*call{1: cl}}
		err := cn.deliver(line)
		got, _ := cl.take()
		if err != nil && len(got) > 0 {
			t.Fatalf("both an error (%v) and an answer (%v)", err, got)
		}
		for _, r := range got {
			if string(r.RequestID) != "1" {
				t.Fatalf("answer to %s delivered to 1", r.RequestID)
			}
			again, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := cn.deliver(again); err != nil {
				t.Fatalf("cannot read our own %s: %v", again, err)
			}
		}
	})
}
