// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/wire"
)

func TestElevenHundredConnections(t *testing.T) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil || lim.Cur < 2400 {
		t.Skipf("needs 2400 file descriptors, has %d", lim.Cur)
	}
	f := serve(t, nil)
	f.loop(echo)
	var all []*client
	for range 1100 {
		c := f.dial()
		c.say(`{"command":"x"}` + "\n")
		c.expect(`"did x"`)
		all = append(all, c)
	}
	for i, c := range all[:1100-maxConns] {
		c.expectEnd()
		if t.Failed() {
			t.Fatalf("connection %d", i)
		}
	}
	for _, c := range all[1100-maxConns:] {
		c.say(`{"command":"y"}` + "\n")
		c.expect(`"did y"`)
	}
	if n := f.count(); n != maxConns {
		t.Errorf("%d connections", n)
	}
}

// The longest idle one goes, not the oldest, nor one with a request under way.
func TestWhoIsEvicted(t *testing.T) {
	f := serve(t, func(s *Server) { s.maxConns = 3 })
	busy, old, idle := f.dial(), f.dial(), f.dial()
	busy.say(`{"command":"wait"}` + "\n")
	waiting := f.call()
	for _, c := range []*client{idle, old} {
		c.say(`{"command":"x"}` + "\n")
		f.call().Answer("ok", nil)
		c.expect(`"ok"`)
	}
	eventually(t, "two at rest", func() bool { return f.uses()[useIdle] == 2 })
	f.dial()
	idle.expectEnd()
	old.say(`{"command":"x"}` + "\n")
	f.call().Answer("ok", nil)
	old.expect(`"ok"`)
	waiting.Answer("at last", nil)
	busy.expect(`"at last"`)
}

func TestFullOfRequestsUnderWay(t *testing.T) {
	f := serve(t, func(s *Server) { s.maxConns = 3 })
	var calls []*Call
	for range 3 {
		c := f.dial()
		c.say(`{"command":"wait"}` + "\n")
		calls = append(calls, f.call())
	}
	ack := f.dial()
	ack.say(`{"command":"worker:ack","pid":1}` + "\n")
	_ = ack.Close()
	eventually(t, "the acceptor waits", func() bool { return f.srv.waiters.Load() == 1 })
	eventually(t, "deadlines don't wait for it", func() bool { return f.srv.Arrived() == nil })
	if n := f.count(); n != 3 {
		t.Errorf("%d connections", n)
	}
	calls[1].Answer("", nil)
	if c := f.call(); c.Command != wire.WorkerAck {
		t.Errorf("got %q", c.Command)
	}
}

// Who doesn't read answers makes room when nobody is idle.
func TestNonReaderMakesRoom(t *testing.T) {
	f := serve(t, func(s *Server) { s.maxConns = 1 })
	c := f.dial()
	c.say(`{"command":"x"}` + "\n")
	f.call().Answer(strings.Repeat("z", 4<<20), nil)
	second := f.dial()
	second.say(`{"command":"y"}` + "\n")
	f.call().Answer("ok", nil)
	second.expect(`"ok"`)
}

func TestAcceptFails(t *testing.T) {
	var tries atomic.Int32
	f := serve(t, func(s *Server) {
		s.accept = func(fd int) (int, error) {
			if n := tries.Add(1); n <= 3 {
				return -1, []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM}[n-1]
			} else if n <= 5 {
				return -1, []error{unix.ECONNABORTED, unix.EINTR}[n-4]
			}
			return acceptConn(fd)
		}
	})
	f.loop(echo)
	c := f.dial()
	c.say(`{"command":"x"}` + "\n")
	c.expect(`"did x"`)
}

// Silent clients that hold all our file descriptors don't keep others out.
func TestOutOfFiles(t *testing.T) {
	var full atomic.Bool
	f := serve(t, func(s *Server) {
		s.accept = func(fd int) (int, error) {
			if full.Load() && len(s.conns) >= 2 { // called under s.mu
				return -1, unix.EMFILE
			}
			return acceptConn(fd)
		}
	})
	f.loop(echo)
	silent, other := f.dial(), f.dial()
	eventually(t, "both at rest", func() bool { return f.uses()[useIdle] == 2 })
	full.Store(true)
	c := f.dial()
	c.say(`{"command":"x"}` + "\n")
	c.expect(`"did x"`)
	silent.expectEnd()
	other.say(`{"command":"x"}` + "\n")
	other.expect(`"did x"`)
}

// A client that asks and asks and never reads: the loop isn't kept waiting, and
// soon nothing more is taken from it. When it reads, it gets every answer.
func TestNonReader(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	const requests = 5000
	go func() {
		for i := range requests {
			if _, err := fmt.Fprintf(c, `{"command":"x","id":%d}`+"\n", i); err != nil {
				return
			}
		}
	}()
	data := strings.Repeat("d", 1000)
	first := f.call()
	first.Answer("", data)
	k, answered := first.conn, 1
	eventually(t, "paused", func() bool {
		select {
		case call := <-f.srv.Calls():
			call.Answer("", data)
			answered++
		default:
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.paused
	})
	if answered > requests/2 {
		t.Errorf("%d answers before it was too much", answered)
	}
	if f.srv.Arrived() != nil {
		t.Error("a deadline waits for a client that isn't read from")
	}
	f.loop(func(call *Call) { call.Answer("", data) })
	for i := range requests {
		if want := fmt.Sprintf(`{"request_id":%d,"ok":true,"data":"%s"}`, i, data); c.line() != want {
			t.Fatalf("answer %d is another", i)
		}
	}
}

func TestTooManyUnderWay(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	c.say(strings.Repeat(`{"command":"x","id":1}`+"\n", maxUnderWay+1))
	var calls []*Call
	for range maxUnderWay {
		calls = append(calls, f.call())
	}
	k := calls[0].conn
	eventually(t, "paused", func() bool { k.mu.Lock(); defer k.mu.Unlock(); return k.paused })
	calls[5].Answer("", nil)
	f.call().Answer("", nil)
}

func TestProgressIsDroppedFinalAnswerIsNot(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	c.say(`{"command":"x","id":1}` + "\n")
	call := f.call()
	text := strings.Repeat("p", 1000)
	const lines = 10_000
	for range lines {
		call.Progress(text, nil)
	}
	k := call.conn
	k.mu.Lock()
	queued := len(k.out)
	k.mu.Unlock()
	if queued > dropProgress+2000 {
		t.Errorf("%d bytes are queued", queued)
	}
	call.Answer("final", nil)
	n := 0
	for {
		r, err := wire.ParseReply([]byte(c.line()))
		if err != nil {
			t.Fatal(err)
		}
		if !r.Wait {
			if r.Message != "final" {
				t.Errorf("last is %q", r.Message)
			}
			break
		}
		n++
	}
	if n == 0 || n == lines {
		t.Errorf("%d of %d progress lines came", n, lines)
	}
}

func TestWriteTimeout(t *testing.T) {
	f := serve(t, func(s *Server) { s.writeTimeout = 20 * time.Millisecond })
	c := f.dial()
	c.say(`{"command":"x"}` + "\n")
	call := f.call()
	call.Answer(strings.Repeat("z", 4<<20), nil)
	eventually(t, "closed", func() bool { return f.count() == 0 })
	if !call.Gone() {
		t.Error("not gone")
	}
}

func TestReplace(t *testing.T) {
	f := serve(t, nil)
	old := f.dial()
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	l := listenAt(t, f.path)
	if err := f.srv.Replace(l); err != nil {
		t.Fatal(err)
	}
	f.loop(echo)
	for _, c := range []*client{old, f.dial()} {
		c.say(`{"command":"x"}` + "\n")
		c.expect(`"did x"`)
	}
	eventually(t, "one listener left", func() bool {
		f.srv.mu.Lock()
		defer f.srv.mu.Unlock()
		return len(f.srv.acceptors) == 1
	})
	closed := listen(t)
	_ = closed.Close()
	if err := f.srv.Replace(closed); err == nil || !strings.HasPrefix(err.Error(), "cannot serve control socket: ") {
		t.Errorf("error is %v", err)
	}
	f.srv.Close(0)
	if err := f.srv.Replace(listen(t)); err != nil {
		t.Error(err)
	}
}

// What waits in the old listener's backlog isn't lost.
func TestReplaceDrainsTheBacklog(t *testing.T) {
	f := serve(t, func(s *Server) { s.maxConns = 1 })
	first := f.dial()
	first.say(`{"command":"wait"}` + "\n")
	busy := f.call()
	for range 5 {
		c := f.dial()
		c.say(`{"command":"x"}` + "\n")
		_ = c.Close()
	}
	if err := f.srv.Replace(listen(t)); err != nil {
		t.Fatal(err)
	}
	busy.Answer("", nil)
	for range 5 {
		f.call().Answer("", nil)
	}
}

// Hostile clients of every kind at once; then it serves as before.
func TestFlood(t *testing.T) {
	f := serve(t, func(s *Server) { s.maxConns = 64; s.writeTimeout = 50 * time.Millisecond })
	f.loop(echo)
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			c, err := net.Dial("unix", f.path)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(200 * time.Millisecond))
			beHostile(c, i)
		})
	}
	for range 20 { // a good one amid them, which may be evicted and tries again
		eventually(t, "answered", func() bool {
			c, err := net.Dial("unix", f.path)
			if err != nil {
				return false
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(patience))
			_, err = c.Write([]byte(`{"command":"x"}` + "\n"))
			buf := make([]byte, 100)
			n, rerr := c.Read(buf)
			return err == nil && rerr == nil && string(buf[:n]) == `"did x"`+"\n"
		})
	}
	wg.Wait()
	c := f.dial()
	c.say(`{"command":"x"}` + "\n")
	c.expect(`"did x"`)
	_ = c.Close()
	eventually(t, "all forgotten", func() bool { return f.count() == 0 })
}

func beHostile(c net.Conn, kind int) {
	var err error
	for n := 0; err == nil && n < 1000; n++ {
		switch kind % 6 {
		case 0:
			b := make([]byte, rand.IntN(5000))
			for i := range b {
				b[i] = byte(rand.Uint32())
			}
			_, err = c.Write(b)
		case 1:
			_, err = c.Write([]byte(strings.Repeat("endless", 1000)))
		case 2:
			_, _ = c.Write([]byte(`{"command":`))
			_, _ = c.Read(make([]byte, 1))
			return
		case 3:
			_, err = c.Write([]byte(`{"command":"x"}` + "\n"))
		case 4:
			_, _ = c.Write([]byte(`{"command":"worker:ack","pid":99999999}`))
			return
		case 5:
			_ = c.(*net.UnixConn).CloseRead()
			_, err = c.Write([]byte("{}\n"))
		}
	}
}
