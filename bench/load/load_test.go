// SPDX-License-Identifier: GPL-3.0-or-later

package load

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// script is a server that does what it is told with each connection. Steps
// beyond the last are like the last.
type script []func(c *net.TCPConn, in *bufio.Reader)

// serve runs the script on a loopback address until the test ends.
func serve(t *testing.T, s script) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	var open sync.Map
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			step := s[min(i, len(s)-1)]
			open.Store(nc, true)
			conns.Go(func() {
				defer nc.Close()
				step(nc.(*net.TCPConn), bufio.NewReader(nc))
			})
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
		open.Range(func(nc, _ any) bool { nc.(net.Conn).Close(); return true })
		conns.Wait()
	})
	return ln.Addr().String()
}

// take reads one request and tells whether there was one.
func take(in *bufio.Reader) bool {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == "\r\n" {
			return true
		}
	}
}

// answers serves requests with the given answers, the last one for ever.
func answers(list ...string) func(*net.TCPConn, *bufio.Reader) {
	return func(c *net.TCPConn, in *bufio.Reader) {
		for i := 0; take(in); i++ {
			if _, err := io.WriteString(c, list[min(i, len(list)-1)]); err != nil {
				return
			}
		}
	}
}

// once answers n requests and closes after reading one more.
func once(n int, end func(*net.TCPConn)) func(*net.TCPConn, *bufio.Reader) {
	return func(c *net.TCPConn, in *bufio.Reader) {
		for range n {
			if !take(in) {
				return
			}
			io.WriteString(c, ok)
		}
		take(in)
		end(c)
	}
}

func closes(c *net.TCPConn) { c.Close() }
func hangs(c *net.TCPConn)  { io.Copy(io.Discard, c) }
func resets(c *net.TCPConn) { c.SetLinger(0); c.Close() }
func says(s string, then func(*net.TCPConn)) func(*net.TCPConn) {
	return func(c *net.TCPConn) { io.WriteString(c, s); then(c) }
}

// rules has a server for each way in which a request may end.
var rules = []struct {
	name           string
	script         script
	fresh          float64
	total          int64
	lost, retried  int64
	dials          int64
	kind           Kind
	timeout        time.Duration
	noDialsChecked bool
}{
	{name: "kept", script: script{answers(ok)}, total: 5, dials: 1},
	{name: "new", script: script{answers(ok)}, fresh: 1, total: 5, dials: 5},
	{name: "chunked", script: script{answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nA: b\r\n\r\n")}, total: 3, dials: 1},
	{name: "interim", script: script{answers("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok)}, total: 3, dials: 1},
	{name: "until closed", script: script{once(0, says("HTTP/1.1 200 OK\r\n\r\nall of it", closes))}, total: 3, dials: 3},
	{name: "until reset", script: script{once(0, says("HTTP/1.1 200 OK\r\n\r\nnot all", resets)), answers(ok)}, total: 2, dials: 2, lost: 1, kind: Truncated},
	{name: "asks to close", script: script{answers("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n")}, total: 4, dials: 4},
	{name: "old protocol", script: script{answers("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")}, total: 4, dials: 4},
	{name: "old protocol kept", script: script{answers("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n")}, total: 4, dials: 1},

	{name: "kept closed early is tried again", script: script{once(2, closes), answers(ok)}, total: 4, dials: 2, retried: 1},
	{name: "kept reset early is tried again", script: script{once(2, resets), answers(ok)}, total: 4, dials: 2, retried: 1},
	{name: "second try closed is lost", script: script{once(1, closes), once(0, closes), answers(ok)}, total: 3, dials: 3, retried: 1, lost: 1, kind: Closed},
	{name: "second try reset is lost", script: script{once(1, closes), once(0, resets), answers(ok)}, total: 3, dials: 3, retried: 1, lost: 1, kind: Reset},
	{name: "first on kept closed is lost", script: script{once(0, closes), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Closed},
	{name: "first on kept reset is lost", script: script{once(0, resets), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Reset},
	{name: "new closed is lost", script: script{once(0, closes), answers(ok)}, fresh: 1, total: 3, dials: 3, lost: 1, kind: Closed},
	{name: "kept cut off after one byte is lost", script: script{once(1, says("H", closes)), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Truncated},
	{name: "kept cut off in the headers is lost", script: script{once(1, says("HTTP/1.1 200 OK\r\nA: b", closes)), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Truncated},
	{name: "kept cut off in the body is lost", script: script{once(1, says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", closes)), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Truncated},
	{name: "kept cut off in a chunk is lost", script: script{once(1, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok", closes)), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Truncated},
	{name: "without last chunk is lost", script: script{once(1, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", closes)), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Truncated},
	{name: "another status is lost", script: script{answers(ok, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Status},
	{name: "no content is lost", script: script{answers(ok, "HTTP/1.1 204\r\n\r\n"), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Status},
	{name: "garbage is lost", script: script{answers(ok, "SSH-2.0-OpenSSH\r\n\r\n"), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Malformed},
	{name: "a hang is lost, kept or not", script: script{once(1, hangs), answers(ok)}, total: 3, dials: 2, lost: 1, kind: Timeout, timeout: 50 * time.Millisecond},
	{name: "a hang of a new one is lost", script: script{once(0, hangs), answers(ok)}, fresh: 1, total: 2, dials: 2, lost: 1, kind: Timeout, timeout: 50 * time.Millisecond},
	{name: "more than was asked for", script: script{answers(ok + ok)}, total: 3, dials: 3, noDialsChecked: true},
}

func TestRules(t *testing.T) {
	for _, tt := range rules {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var bodies atomic.Int64
			got, err := Run(t.Context(), Options{
				Addr: serve(t, tt.script), Total: tt.total, NewFraction: tt.fresh, Timeout: tt.timeout,
				OnAnswer: func([]byte) { bodies.Add(1) },
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Requests != tt.total || got.Lost != tt.lost || got.Retried != tt.retried {
				t.Errorf("want %d requests, %d lost, %d retried, got %v", tt.total, tt.lost, tt.retried, got)
			}
			if got.Dials != tt.dials && !tt.noDialsChecked {
				t.Errorf("want %d connections, got %d", tt.dials, got.Dials)
			}
			if n := got.Kinds[tt.kind]; tt.kind != "" && n != tt.lost {
				t.Errorf("want %d lost as %q, got %v", tt.lost, tt.kind, got.Kinds)
			}
			if good := tt.total - tt.lost; bodies.Load() != good || got.Latency.Count() != good {
				t.Errorf("want %d answers, got %d bodies and %d latencies", good, bodies.Load(), got.Latency.Count())
			}
			if int64(len(got.Errors)) != tt.lost {
				t.Errorf("want %d losses described, got %v", tt.lost, got.Errors)
			}
		})
	}
}

func TestRefusedIsLost(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	got, err := Run(t.Context(), Options{Addr: addr, Total: 20, NewFraction: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	if got.Lost != 20 || got.Kinds[Refused] != 20 || len(got.Errors) != maxErrors || got.New != 10 {
		t.Errorf("want all 20 refused, half of them new, 10 described, got %v", got)
	}
}

func TestRefusedSecondTryIsLost(t *testing.T) {
	gone := make(chan net.Listener, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone <- ln
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		once(1, func(c *net.TCPConn) { (<-gone).Close(); c.Close() })(nc.(*net.TCPConn), bufio.NewReader(nc))
	}()
	got, err := Run(t.Context(), Options{Addr: ln.Addr().String(), Total: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got.Lost != 1 || got.Retried != 1 || got.Kinds[Refused] != 1 {
		t.Errorf("want the second try refused, got %v", got)
	}
}

func TestRealServer(t *testing.T) {
	var served atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		io.WriteString(w, strings.Repeat("x", int(served.Load()%9000)))
	}))
	defer srv.Close()
	const total = 4000
	got, err := Run(t.Context(), Options{Addr: srv.Listener.Addr().String(), Conns: 7, Total: total, NewFraction: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	if got.Lost != 0 || got.Requests != total || served.Load() != total {
		t.Errorf("want %d requests served, none lost, server saw %d, got %v", total, served.Load(), got)
	}
	// Each of the 7 clients rounds its own share down.
	if got.New < total/4-7 || got.New > total/4 {
		t.Errorf("want about a quarter on new connections, got %v", got)
	}
	if got.P50() <= 0 || got.P50() > got.P99() || got.P99() > got.Max() {
		t.Errorf("want p50 ≤ p99 ≤ max, got %v", got)
	}
}

func TestContextEndFinishesWhatIsUnderWay(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := serve(t, script{func(c *net.TCPConn, in *bufio.Reader) {
		take(in)
		cancel()
		<-ctx.Done()
		io.WriteString(c, ok)
	}})
	got, err := Run(ctx, Options{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != 1 || got.Lost != 0 {
		t.Errorf("want the one request under way answered, got %v", got)
	}
}

func TestRatePacesAndCountsTheWait(t *testing.T) {
	const rate, stalled = 1000, 100 * time.Millisecond
	addr := serve(t, script{func(c *net.TCPConn, in *bufio.Reader) {
		take(in)
		time.Sleep(stalled) // the fault itself: a server that stands still
		io.WriteString(c, ok)
		answers(ok)(c, in)
	}})
	got, err := Run(t.Context(), Options{Addr: addr, Total: 101, Rate: rate})
	if err != nil {
		t.Fatal(err)
	}
	// The last one is due 100 ms after the start, so it can't be over sooner;
	// and those that were due during the stall waited half of it on average.
	if got.Elapsed < 100*time.Millisecond || got.P50() < stalled/4 {
		t.Errorf("want at least 100 ms and a median that shows the stall, got %v in %v", got, got.Elapsed)
	}
}

// TestHesitate has one connection, so there is one pause.
func TestHesitate(t *testing.T) {
	const pause = 50 * time.Millisecond
	addr := serve(t, script{func(c *net.TCPConn, in *bufio.Reader) {
		begun := time.Now()
		if _, err := in.Peek(1); err != nil || time.Since(begun) < pause/2 {
			t.Errorf("the first byte came after %v: %v", time.Since(begun), err)
		}
		answers(ok)(c, in)
	}})
	begun := time.Now()
	got, err := Run(t.Context(), Options{Addr: addr, Total: 100, Hesitate: pause})
	if err != nil || got.Lost != 0 || got.Dials != 1 {
		t.Errorf("want 100 requests on one connection, none lost: %v, %v", got, err)
	}
	if time.Since(begun) > 50*pause {
		t.Errorf("it hesitated before requests on a kept connection: %v", got)
	}
}

func TestOptionErrors(t *testing.T) {
	for _, o := range []Options{
		{},
		{Addr: "localhost"},
		{Addr: "h:1", Path: "x"},
		{Addr: "h:1", Path: "/a b"},
		{Addr: "h:1", Conns: -1},
		{Addr: "h:1", NewFraction: 1.1},
		{Addr: "h:1", NewFraction: -0.1},
		{Addr: "h:1", Total: -1},
		{Addr: "h:1", Timeout: -1},
		{Addr: "h:1", Hesitate: -1},
	} {
		if _, err := Run(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("Run(%+v): want an error that says what cannot be done, got %v", o, err)
		}
	}
}

func TestLossTellsWhat(t *testing.T) {
	l := Loss{At: 1500 * time.Millisecond, Kind: Reset, New: true, Err: errors.New("why")}
	if got, want := l.String(), "1.5s: new connection: reset: why"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func BenchmarkKept(b *testing.B) { bench(b, 0) }
func BenchmarkNew(b *testing.B)  { bench(b, 1) }

// bench measures against a server that does next to nothing.
func bench(b *testing.B, fresh float64) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				buf := make([]byte, 1024)
				for {
					if _, err := nc.Read(buf); err != nil {
						return
					}
					io.WriteString(nc, ok)
				}
			}()
		}
	}()
	got, err := Run(b.Context(), Options{Addr: ln.Addr().String(), Conns: 16, Total: int64(b.N), NewFraction: fresh})
	if err != nil || got.Lost != 0 {
		b.Fatal(got, err)
	}
	b.ReportMetric(got.PerSecond(), "req/s")
}
