// SPDX-License-Identifier: MIT

package worker

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// server is a server under test, in this process.
type server struct {
	ln     *net.TCPListener
	states chan http.ConnState // as the user's own hook sees them
	stop   context.CancelFunc
	ended  chan error
}

func (s *server) dial(t *testing.T) *client { return dial(t, s.ln.Addr()) }

// serving starts a server whose handler answers "hi".
func serving(t *testing.T, srv *http.Server, opts ...Option) *server {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &server{ln: listen(t), states: make(chan http.ConnState, 1000), stop: stop, ended: make(chan error, 1)}
	if srv.Handler == nil {
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hi") })
	}
	srv.ConnState = func(_ net.Conn, state http.ConnState) { s.states <- state }
	ready := make(chan struct{})
	opts = append(opts, OnReady(func() { close(ready) }))
	go func() { s.ended <- ServeListeners(ctx, srv, []net.Listener{s.ln}, opts...) }()
	t.Cleanup(func() { stop(); srv.Close() })
	<-ready
	return s
}

// until waits for a connection to come into the state.
func (s *server) until(want http.ConnState) {
	for got := range s.states {
		if got == want {
			return
		}
	}
}

// drain stops the server and waits until it drains: until an answer on probe,
// a connection of the test's own, says that it is the last.
func (s *server) drain(t *testing.T) {
	t.Helper()
	probe := s.dial(t)
	probe.ask()
	s.stop()
	for {
		if _, last := probe.ask(); last {
			probe.wantClosed()
			return
		}
	}
}

func (s *server) wantEnd(t *testing.T, want error) {
	t.Helper()
	if err := <-s.ended; !errors.Is(err, want) {
		t.Fatalf("Serve returned %v, want %v", err, want)
	}
}

func TestDrainAnswersUnusedConnection(t *testing.T) {
	s := serving(t, &http.Server{})
	c := s.dial(t)
	s.until(http.StateNew)
	s.drain(t)
	if body, last := c.ask(); body != "hi" || !last {
		t.Errorf("got %q, last %v", body, last)
	}
	c.wantClosed()
	s.wantEnd(t, nil)
}

func TestDrainAnswersIdleConnection(t *testing.T) {
	s := serving(t, &http.Server{})
	c := s.dial(t)
	if _, last := c.ask(); last {
		t.Error("the first answer must not be the last")
	}
	s.drain(t)
	if body, last := c.ask(); body != "hi" || !last {
		t.Errorf("got %q, last %v", body, last)
	}
	c.wantClosed()
	s.wantEnd(t, nil)
}

func TestDrainClosesSilentConnections(t *testing.T) {
	s := serving(t, &http.Server{}, IdleWait(30*time.Millisecond), UnusedWait(60*time.Millisecond))
	idle, unused := s.dial(t), s.dial(t)
	idle.ask()
	s.drain(t)
	idle.wantClosed()
	unused.wantClosed()
	s.wantEnd(t, nil)
}

func TestDrainWaitsForARequestThatHasBegun(t *testing.T) {
	inside, finish := make(chan struct{}), make(chan struct{})
	s := serving(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slow" {
			return
		}
		close(inside)
		<-finish
		if r.Context().Err() != nil {
			t.Error("the request's context has ended")
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Write(b)
	})}, IdleWait(time.Millisecond), UnusedWait(time.Millisecond))
	slow := s.dial(t)
	slow.send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
	<-inside
	silent := s.dial(t)
	s.drain(t)
	silent.wantClosed() // the waits are over, and the slow one is still there
	close(finish)
	slow.send("cd")
	if body, _ := slow.receive(); body != "abcd" {
		t.Errorf("got %q", body)
	}
	slow.wantClosed()
	s.wantEnd(t, nil)
}

func TestDrainWaitsForAHalfSentHeader(t *testing.T) {
	s := serving(t, &http.Server{})
	c := s.dial(t)
	c.send(get[:10])
	s.until(http.StateNew)
	s.drain(t)
	c.send(get[10:])
	if body, last := c.receive(); body != "hi" || !last {
		t.Errorf("got %q, last %v", body, last)
	}
	s.wantEnd(t, nil)
}

func TestDrainTimeout(t *testing.T) {
	s := serving(t, &http.Server{}, DrainTimeout(20*time.Millisecond))
	c := s.dial(t)
	s.until(http.StateNew)
	s.stop()
	s.wantEnd(t, ErrDrainTimeout)
	if _, err := c.in.ReadByte(); err == nil {
		t.Error("want the connection closed")
	}
}

func TestHurryCutsTheWaits(t *testing.T) {
	srv := &http.Server{}
	o := newOptions([]Option{IdleWait(time.Hour), UnusedWait(time.Hour)})
	d := newDrain(srv, o)
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	unused := d.add(ours)
	d.begin()
	d.sweep(time.Now().Add(hurriedWait))
	if unused.cut {
		t.Fatal("cut without hurry")
	}
	d.hear(DefaultGracefulSignal)
	d.sweep(time.Now().Add(hurriedWait))
	if unused.cut {
		t.Fatal("cut after the graceful signal")
	}
	d.hear(syscall.SIGTERM)
	d.sweep(time.Now().Add(hurriedWait))
	if !unused.cut {
		t.Fatal("not cut in a hurry")
	}
	// The request that came in the same moment is read on.
	d.change(ours, http.StateActive)
	go io.WriteString(theirs, "x")
	if n, err := ours.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("reading after all: %d, %v", n, err)
	}
}

func TestSweepSparesAConnectionWithInput(t *testing.T) {
	ln := listen(t)
	c := dial(t, ln.Addr())
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	d := newDrain(&http.Server{}, newOptions([]Option{UnusedWait(0)}))
	tracked := d.add(nc)
	d.begin()
	c.send("G")
	for !hasInput(nc) {
	}
	d.sweep(time.Now())
	if tracked.cut {
		t.Error("cut with a request waiting")
	}
	io.ReadFull(nc, make([]byte, 1))
	d.sweep(time.Now())
	if !tracked.cut {
		t.Error("not cut without one")
	}
}

func TestHooksOfTheUserAreCalled(t *testing.T) {
	type key string
	var conns, bases atomic.Int64
	s := serving(t, &http.Server{
		BaseContext: func(ln net.Listener) context.Context {
			if _, ok := ln.(*net.TCPListener); !ok {
				t.Errorf("the base context is asked for a %T", ln)
			}
			bases.Add(1)
			return context.WithValue(context.Background(), key("base"), "b")
		},
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			if _, ok := nc.(*net.TCPConn); !ok {
				t.Errorf("the connection's context is asked for a %T", nc)
			}
			conns.Add(1)
			return context.WithValue(ctx, key("conn"), "c")
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Context().Value(key("base")).(string)+r.Context().Value(key("conn")).(string))
		}),
	})
	c := s.dial(t)
	if body, _ := c.ask(); body != "bc" {
		t.Errorf("got %q", body)
	}
	for _, want := range []http.ConnState{http.StateNew, http.StateActive, http.StateIdle} {
		if got := <-s.states; got != want {
			t.Errorf("state %v, want %v", got, want)
		}
	}
	c.nc.Close()
	s.stop()
	s.wantEnd(t, nil)
	if conns.Load() != 1 || bases.Load() != 1 {
		t.Errorf("%d connections, %d listeners", conns.Load(), bases.Load())
	}
}

func TestHijackedConnectionsAreNotWaitedFor(t *testing.T) {
	s := serving(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			return
		}
		nc, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			defer nc.Close()
			line, _ := rw.ReadString('\n')
			io.WriteString(nc, "echo "+line)
		}()
	})})
	c := s.dial(t)
	c.send("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
	s.until(http.StateHijacked)
	s.drain(t)
	s.wantEnd(t, nil)
	c.send("hello\n")
	if line, err := bufio.NewReader(c.nc).ReadString('\n'); line != "echo hello\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

func TestUpgradeKeepsItsConnectionHeader(t *testing.T) {
	s := serving(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		w.Header().Set("Upgrade", "x")
		w.Header().Add("Connection", "upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})})
	c := s.dial(t)
	s.until(http.StateNew)
	s.drain(t)
	c.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Values("Connection"); len(got) != 1 || !strings.EqualFold(got[0], "upgrade") {
		t.Errorf("Connection: %q", got)
	}
	c.nc.Close()
	s.wantEnd(t, nil)
}

func TestServeTellsWhyItCannot(t *testing.T) {
	if err := ServeListeners(t.Context(), &http.Server{}, nil); err == nil {
		t.Error("want an error without a listener")
	}
	if err := ServeListeners(t.Context(), &http.Server{}, []net.Listener{listen(t)}, TLS("/nowhere", "/nowhere")); err == nil {
		t.Error("want an error without a certificate")
	}
	closed := &http.Server{}
	closed.Close()
	if err := ServeListeners(t.Context(), closed, []net.Listener{listen(t)}); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("want ErrServerClosed, got %v", err)
	}
}

func TestFailedAcceptEndsServeAfterADrain(t *testing.T) {
	broken, good := listen(t), listen(t)
	ended := make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		ended <- ServeListeners(t.Context(), &http.Server{Handler: http.NotFoundHandler()}, []net.Listener{broken, good},
			IdleWait(10*time.Millisecond), OnReady(func() { close(ready) }))
	}()
	<-ready
	broken.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("want the error of accept, got %v", err)
	}
	if nc, err := net.Dial("tcp", good.Addr().String()); err == nil {
		nc.Close()
		t.Error("the other listener is still open")
	}
}
