// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What 0.1.0 hands over, word for word, and what a later version may add: the
// master that takes it may be of any version.
func TestWhatEarlierVersionsHandOver(t *testing.T) {
	f := serve(t, nil)
	c, keepers := ownConn(t)
	fd, err := dupConn(keepers)
	if err != nil {
		t.Fatal(err)
	}
	const from010 = `{"pid":4711,"uid":1234567,"active":7,
		"calls":[{"line":"eyJjb21tYW5kIjoid2F0Y2giLCJpZCI6MX0=","group":4710,"note":{"generation":7}},
			{"line":"eyJjb21tYW5kIjoicGxhaW4iLCJpZCI6Mn0="}],
		"too_long":"eyJj","skipping":true,"input":"eHh4CnsiY29tbWFuZCI6Im5leHQiLCJpZCI6M30KeyJjb21t",
		"output":"aGFsZiBvZiBhIGxpbmUK","of a later version":[1,2]}`
	if err := f.srv.Adopt(fd, []byte(from010)); err != nil {
		t.Fatal(err)
	}
	c.expect("half of a line")
	watch, plain := f.call(), f.call()
	if want := (Peer{PID: 4711, Group: 4710, UID: 1234567}); watch.Command != "watch" || watch.Peer != want || string(watch.Carried) != `{"generation":7}` {
		t.Errorf("got %q of %+v with %s", watch.Command, watch.Peer, watch.Carried)
	}
	if plain.Command != "plain" || plain.Carried != nil {
		t.Errorf("got %q with %s", plain.Command, plain.Carried)
	}
	c.expectError("", "longer than")
	if k := f.call(); k.Command != "next" {
		t.Errorf("got %q", k.Command)
	}
	c.say(`and":"last"}` + "\n")
	if k := f.call(); k.Command != "last" {
		t.Errorf("got %q", k.Command)
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

func TestHandOverLeavesNoDescriptor(t *testing.T) {
	r := newRelay(t)
	var all []*client
	for range 50 {
		c := r.dial()
		c.say(`{"command":"x"}` + "\n")
		r.call().Answer("ok", nil)
		c.expect(`"ok"`)
		all = append(all, c)
	}
	r.handOver()
	before := descriptors(t)
	for range 20 {
		r.handOver()
		r.stay()
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
	for _, c := range all {
		_ = c.Close()
	}
	f := &fixture{t: t, srv: r.srv}
	eventually(t, "all forgotten", func() bool { return f.count() == 0 })
}

// BenchmarkHandOver hands all the connections that there can be to the next
// server.
func BenchmarkHandOver(b *testing.B) {
	l := listen(b)
	path := l.Name()
	s, err := New(l, discard)
	if err != nil {
		b.Fatal(err)
	}
	for i := range maxConns {
		c, err := net.Dial("unix", path)
		if err != nil {
			b.Skip(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintln(c, `{"command":"x"}`)
		k := <-s.Calls()
		if i%8 == 0 {
			k.Carry(i) // one that watches an upgrade
			continue
		}
		k.Answer("ok", nil)
		if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		handed, err := s.Suspend()
		if err != nil {
			b.Fatal(err)
		}
		next := newServer(discard)
		for _, h := range handed {
			if err := next.Adopt(h.FD, h.Data); err != nil {
				b.Fatal(err)
			}
		}
		for range maxConns / 8 {
			<-next.Calls()
		}
		s.Close(0)
		s = next
	}
	b.StopTimer()
	s.Close(0)
	_ = unix.Unlink(path)
}
