// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"bufio"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownConn is a worker's own connection: the worker's end, and ours as the
// keeper has it.
func ownConn(t *testing.T) (worker *client, keepers int) {
	t.Helper()
	fds, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "worker")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = c.Close(); _ = unix.Close(fds[0]) })
	return &client{c.(*net.UnixConn), t, bufio.NewReader(c)}, fds[0]
}

func addWorker(t *testing.T, s *Server, keepers int, serial uint64) {
	t.Helper()
	fd, err := dupConn(keepers)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddWorker(fd, serial); err != nil {
		t.Fatal(err)
	}
}

func TestWorkersOwnConnection(t *testing.T) {
	f := serve(t, nil)
	c, keepers := ownConn(t)
	addWorker(t, f.srv, keepers, 7)
	c.say(`{"command":"worker:ack"}` + "\n")
	k := f.call()
	if want := (Peer{Worker: 7, UID: -1}); k.Peer != want || k.Peer.Speaks(os.Getpid()) {
		t.Errorf("peer is %+v", k.Peer)
	}
	k.AnswerAndClose("Acknowledged!", nil)
	c.expect(`"Acknowledged!"`)
	c.expectEnd() // though the keeper holds a duplicate
	eventually(t, "forgotten", func() bool { return f.count() == 0 })

	// The next master gets it once more, and ends it.
	next := serve(t, nil)
	addWorker(t, next.srv, keepers, 7)
	eventually(t, "forgotten again", func() bool { return next.count() == 0 })
}

func TestWorkersOwnConnectionsAreBeyondTheLimit(t *testing.T) {
	f := serve(t, func(s *Server) { s.maxConns = 1 })
	f.loop(echo)
	var own []*client
	for serial := range uint64(3) {
		c, keepers := ownConn(t)
		addWorker(t, f.srv, keepers, serial+1)
		own = append(own, c)
	}
	first := f.dial()
	first.say(`{"command":"x"}` + "\n")
	first.expect(`"did x"`)
	second := f.dial()
	second.say(`{"command":"x"}` + "\n")
	second.expect(`"did x"`)
	first.expectEnd()
	for _, c := range own {
		c.say(`{"command":"y"}` + "\n")
		c.expect(`"did y"`)
	}
}

func TestEndWorker(t *testing.T) {
	f := serve(t, nil)
	c, keepers := ownConn(t)
	addWorker(t, f.srv, keepers, 1)
	f.srv.EndWorker(2)
	f.srv.EndWorker(1)
	c.expectEnd()
	eventually(t, "forgotten", func() bool { return f.count() == 0 })
	f.srv.EndWorker(1)
}

// It comes from the old master, with what was read, and from the keeper.
func TestWorkersOwnConnectionComesTwice(t *testing.T) {
	for name, keeperFirst := range map[string]bool{"keeper first": true, "master first": false} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			c, keepers := ownConn(t)
			addWorker(t, r.srv, keepers, 1)
			c.say(`{"command":"one","id":1}` + "\n" + `{"comm`)
			k := r.call()
			k.Carry("note")
			handed := r.suspend()
			next := r.next()
			if keeperFirst {
				addWorker(t, next, keepers, 1)
			}
			for _, h := range handed {
				if err := next.Adopt(h.FD, h.Data); err != nil {
					t.Fatal(err)
				}
			}
			if !keeperFirst {
				addWorker(t, next, keepers, 1)
			}
			r.srv.Close(0)
			r.srv = next
			next.Resume()
			c.say(`and":"two","id":2}` + "\n")
			if k = r.call(); k.Command != "one" || string(k.Carried) != `"note"` || k.Peer.Worker != 1 {
				t.Errorf("got %q of %+v with %s", k.Command, k.Peer, k.Carried)
			}
			k.Answer("1", nil)
			if k = r.call(); k.Command != "two" || k.Peer.Worker != 1 {
				t.Errorf("got %q of %+v", k.Command, k.Peer)
			}
			k.Answer("2", nil)
			c.expect(`{"request_id":1,"ok":true,"message":"1"}`)
			c.expect(`{"request_id":2,"ok":true,"message":"2"}`)
			if n := (&fixture{t: t, srv: next}).count(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// Nothing goes from master to master of a worker's own connection at rest: the
// keeper gives it to each.
func TestWorkersOwnConnectionAtRestIsNotHandedOver(t *testing.T) {
	r := newRelay(t)
	resting, first := ownConn(t)
	busy, second := ownConn(t)
	addWorker(t, r.srv, first, 1)
	addWorker(t, r.srv, second, 2)
	for _, c := range []*client{resting, busy} {
		c.say(`{"command":"x","id":1}` + "\n")
		r.call().Answer("x", nil)
		c.expect(`{"request_id":1,"ok":true,"message":"x"}`)
	}
	busy.say(`{"command":"y"}` + "\n" + `{"com`)
	r.call()
	all := r.suspend()
	if len(all) != 1 || !strings.Contains(string(all[0].Data), `"worker":2`) {
		t.Errorf("%d connections are handed over, want the busy one: %v", len(all), all)
	}
	for _, h := range all {
		_ = unix.Close(h.FD)
	}
	r.srv.Resume()
	resting.say(`{"command":"z"}` + "\n")
	if k := r.call(); k.Command != "z" || k.Peer.Worker != 1 {
		t.Errorf("after it worker %d says %q", k.Peer.Worker, k.Command)
	}
}

func TestWorkersOwnConnectionIsNotAdoptedTooLate(t *testing.T) {
	f := serve(t, nil)
	c, keepers := ownConn(t)
	addWorker(t, f.srv, keepers, 1)
	fd, err := dupConn(keepers)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.srv.Adopt(fd, []byte(`{"worker":1}`)); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("adopted: %v", err)
	}
	c.say(`{"command":"x"}` + "\n")
	f.call().Answer("x", nil)
	c.expect(`"x"`)
}

// A worker that asks and never reads is slowed down by its own socket.
func TestWorkerThatNeverReads(t *testing.T) {
	f := serve(t, nil)
	f.loop(echo)
	c, keepers := ownConn(t)
	addWorker(t, f.srv, keepers, 1)
	_ = c.SetWriteDeadline(time.Now().Add(patience))
	go func() {
		line := []byte(strings.Repeat(`{"command":"x"}`+"\n", 1000))
		for {
			if _, err := c.Write(line); err != nil {
				return
			}
		}
	}()
	eventually(t, "it is not read from", func() bool {
		f.srv.mu.Lock()
		defer f.srv.mu.Unlock()
		own := f.srv.workers[1]
		if own == nil {
			return false
		}
		own.mu.Lock()
		defer own.mu.Unlock()
		return own.paused
	})
	other := f.dial()
	other.say(`{"command":"x"}` + "\n")
	other.expect(`"did x"`)
}

// Whatever was handed over, nothing worse comes of it than an error.
func FuzzAdopt(f *testing.F) {
	f.Add([]byte(`{"pid":1,"uid":0,"active":7,"calls":[{"line":"eyJjb21tYW5kIjoieCJ9","note":{"a":1}}],"input":"eyJjb21tYW5kIjoieCJ9Cg==","output":"aGkK","eof":true}`))
	f.Add([]byte(`{"input":"eA==","too_long":"LS0t","skipping":true,"ended":true,"deaf":true}`))
	f.Add([]byte(`{"worker":3,"calls":[{"line":"eA=="},{"line":"LS0teA=="}]}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newServer(discard)
		fds, err := socketpair()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Adopt(fds[0], data); err != nil {
			if _, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0); err == nil {
				t.Error("the descriptor is still open")
			}
			_ = unix.Close(fds[1])
			s.Close(0)
			return
		}
		_ = unix.Close(fds[1])
		ended := make(chan struct{})
		go func() {
			s.wg.Wait()
			close(ended)
		}()
		for over := false; !over; {
			select {
			case k := <-s.Calls():
				k.Answer("", nil)
			case <-ended:
				over = true
			}
		}
		if len(s.conns) != 0 {
			t.Error("a connection is left")
		}
		s.Close(0)
	})
}
