// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"einhyrningsins/bench/load"
	"einhyrningsins/worker"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(play(role))
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // else each worker takes a second to exit
	os.Exit(m.Run())
}

func TestServeLosesNothing(t *testing.T) {
	restarts := 30
	if testing.Short() {
		restarts = 5
	}
	got, err := measure(t.Context(), roleServe, plan{
		workers: 2, restarts: restarts, load: load.Options{Conns: 8, NewFraction: 0.5},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Lost != 0 || got.Requests < int64(restarts) || got.New == 0 || got.New == got.Requests {
		t.Errorf("want none lost, on kept and new connections: %v", got)
	}
	t.Log(got)
}

// TestTheDifference asks both ways to stop the same question, without any
// chance in it: a connection was accepted, then the stop began, and now comes
// its first request. If the first half ever fails, net/http has been mended,
// and what this project says of it must change.
func TestTheDifference(t *testing.T) {
	t.Run(roleShutdown, func(t *testing.T) {
		if askInTheStop(t, func(ctx context.Context, srv *http.Server, ln net.Listener) error {
			ended := make(chan error, 1)
			go func() { ended <- srv.Serve(ln) }()
			<-ctx.Done()
			err := srv.Shutdown(context.Background())
			if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
				err = errors.Join(err, e)
			}
			return err
		}) {
			t.Error("Shutdown has answered")
		}
	})
	t.Run(roleServe, func(t *testing.T) {
		if !askInTheStop(t, func(ctx context.Context, srv *http.Server, ln net.Listener) error {
			return worker.ServeListeners(ctx, srv, []net.Listener{ln})
		}) {
			t.Error("Serve has not answered")
		}
	})
}

// askInTheStop opens a connection to a server, stops it by ending its context,
// and only then sends a request.
func askInTheStop(t *testing.T, serve func(context.Context, *http.Server, net.Listener) error) (answered bool) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	accepted, stopping := make(chan struct{}, 2), make(chan struct{})
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello\n") }),
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				accepted <- struct{}{}
			}
		},
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, srv, &tellClose{Listener: ln, closed: stopping}) }()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	<-accepted
	stop()
	<-stopping
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err == nil {
		answered = resp.StatusCode == http.StatusOK
		resp.Body.Close()
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return answered
}

// tellClose tells when the listener is closed: that is after Shutdown has made
// up its mind to stop.
type tellClose struct {
	net.Listener
	once   sync.Once
	closed chan struct{}
}

func (l *tellClose) Close() error {
	err := l.Listener.Close()
	l.once.Do(func() { close(l.closed) })
	return err
}

func TestRunPrintsATable(t *testing.T) {
	var stdout, stderr strings.Builder
	if status := run([]string{"-workers", "1", "-restarts", "1", "-conns", "2"}, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("status %d, %s", status, &stderr)
	}
	for _, want := range []string{"lost", roleShutdown, roleServe} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("want %q in\n%s", want, &stdout)
		}
	}
	for _, args := range [][]string{{"-workers", "0"}, {"extra"}, {"-nonsense"}} {
		if status := run(args, io.Discard, io.Discard); status != 2 {
			t.Errorf("%q: status %d, want 2", args, status)
		}
	}
}
