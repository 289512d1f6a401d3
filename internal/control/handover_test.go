// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/wire"
)

// relay is a row of masters that hand their connections over to one another.
type relay struct {
	t        *testing.T
	listener *os.File // each server gets a duplicate
	srv      *Server
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	r := &relay{t: t, listener: listen(t)}
	t.Cleanup(func() { _ = r.listener.Close(); r.srv.Close(0) })
	r.srv = r.next()
	r.srv.Resume()
	return r
}

func (r *relay) path() string { return r.listener.Name() }

func (r *relay) dial() *client { return dial(r.t, r.path()) }

// next is a server that is still suspended.
func (r *relay) next() *Server {
	r.t.Helper()
	raw, err := r.listener.SyscallConn()
	if err != nil {
		r.t.Fatal(err)
	}
	var f *os.File
	err = raw.Control(func(fd uintptr) {
		if dup, err := dupConn(int(fd)); err == nil {
			f = os.NewFile(uintptr(dup), r.path())
		}
	})
	if err != nil || f == nil {
		r.t.Fatal("cannot duplicate the listener", err)
	}
	s, err := NewSuspended(f, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	s.accept = func(fd int) (int, error) {
		c, err := acceptConn(fd)
		if err == nil { // so that output often waits
			err = unix.SetsockoptInt(c, unix.SOL_SOCKET, unix.SO_SNDBUF, 4<<10)
		}
		return c, err
	}
	return s
}

func (r *relay) suspend() []Handed {
	r.t.Helper()
	all, err := r.srv.Suspend()
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// handOver goes on with another server.
func (r *relay) handOver() {
	r.t.Helper()
	all := r.suspend()
	next := r.next()
	late := len(all) / 2 // some come when it serves already
	for i, h := range all {
		if i == late {
			next.Resume()
		}
		if err := next.Adopt(h.FD, h.Data); err != nil {
			r.t.Fatal(err)
		}
	}
	next.Resume()
	r.srv.Close(0)
	r.srv = next
}

// stay suspends and changes its mind.
func (r *relay) stay() {
	r.t.Helper()
	for _, h := range r.suspend() {
		_ = unix.Close(h.FD)
	}
	r.srv.Resume()
}

func (r *relay) call() *Call {
	r.t.Helper()
	return (&fixture{t: r.t, srv: r.srv}).call()
}

func TestCallsUnderWayComeAgain(t *testing.T) {
	r := newRelay(t)
	c := r.dial()
	c.say(`{"command":"watch","id":1}` + "\n" + `{"command":"plain","id":"b"}` + "\n" + `{"command":"new","id":3}` + "\n")
	watch := r.call()
	watch.Progress("begun", nil)
	watch.Carry(map[string]int{"generation": 7})
	plain := r.call()
	group := plain.Peer.Group
	for range 3 {
		r.handOver()
		watch, plain = r.call(), r.call()
		if watch.Command != "watch" || string(watch.Carried) != `{"generation":7}` {
			t.Errorf("got %q with %s", watch.Command, watch.Carried)
		}
		if plain.Command != "plain" || plain.Carried != nil || plain.Peer.Group != group || !plain.Peer.Trusted {
			t.Errorf("got %q with %s of %+v", plain.Command, plain.Carried, plain.Peer)
		}
	}
	fresh := r.call()
	for _, k := range []*Call{fresh, plain, watch} {
		k.Answer("", nil)
	}
	c.expect(`{"request_id":1,"ok":true,"message":"begun","wait":true}`)
	for _, id := range []string{`3`, `"b"`, `1`} {
		c.expect(`{"request_id":` + id + `,"ok":true}`)
	}
	r.handOver()
	c.halfClose()
	c.expectEnd()
}

func TestANoteIsTakenBack(t *testing.T) {
	r := newRelay(t)
	c := r.dial()
	c.say(`{"command":"x"}` + "\n")
	k := r.call()
	k.Carry("a")
	k.Carry(nil)
	k.Carry(func() {}) // cannot be carried
	r.handOver()
	if k = r.call(); k.Carried != nil {
		t.Errorf("carried %s", k.Carried)
	}
}

// A line that is too long is refused in its own dialect, also by the next.
func TestTooLongALineIsRefusedByTheNext(t *testing.T) {
	r := newRelay(t)
	c := r.dial()
	for range maxUnderWay {
		c.say(`{"command":"x"}` + "\n")
		r.call().Carry(1)
	}
	f := &fixture{t: t, srv: r.srv}
	go func() { // more than the socket holds
		_, _ = io.WriteString(c, "---"+strings.Repeat("x", 10*wire.MaxLine)+"\n"+`{"command":"y"}`+"\n")
	}()
	eventually(t, "the reader waits", func() bool {
		f.srv.mu.Lock()
		defer f.srv.mu.Unlock()
		for c := range f.srv.conns {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.paused
		}
		return false
	})
	r.handOver()
	for range maxUnderWay {
		r.call().Done()
	}
	if got := c.line(); !strings.HasPrefix(got, "---") || !strings.Contains(got, "longer%20than") && !strings.Contains(got, "longer than") {
		t.Errorf("got %q", got)
	}
	if k := r.call(); k.Command != "y" {
		t.Errorf("got %q", k.Command)
	}
}

func TestResumeKeepsTheCalls(t *testing.T) {
	r := newRelay(t)
	c := r.dial()
	c.say(`{"command":"x"}` + "\n" + `{"command":"y"}` + "\n")
	k := r.call()
	r.suspend0(func() { k.Answer("while suspended", nil) })
	c.expect(`"while suspended"`)
	if k = r.call(); k.Command != "y" {
		t.Errorf("got %q", k.Command)
	}
	r.stay()
	k.AnswerAndClose("bye", nil)
	c.expect(`"bye"`)
	c.expectEnd()
}

func (r *relay) suspend0(f func()) {
	for _, h := range r.suspend() {
		_ = unix.Close(h.FD)
	}
	f()
	r.srv.Resume()
}

// A client that closed after its ACK, whose ACK the loop still has in hand.
func TestAckOfAGoneClient(t *testing.T) {
	r := newRelay(t)
	c := r.dial()
	c.say(`{"command":"worker:ack","pid":1}` + "\n")
	k := r.call()
	peer := k.Peer
	k.Carry("parked")
	_ = c.Close()
	f := &fixture{t: t, srv: r.srv}
	eventually(t, "forgotten", func() bool { return f.count() == 0 })
	for range 3 {
		r.handOver()
		k = r.call()
		if k.Command != wire.WorkerAck || string(k.Carried) != `"parked"` || k.Peer != peer {
			t.Errorf("got %q with %s of %+v", k.Command, k.Carried, k.Peer)
		}
	}
	k.AnswerAndClose("Acknowledged!", nil)
	if all := r.suspend(); len(all) > 0 && strings.Contains(string(all[0].Data), "calls") {
		t.Errorf("an answered call is handed over: %s", all[0].Data)
	}
	r.srv.Resume()
}

// The next master's deadlines wait for what was handed over.
func TestArrivedAfterHandOver(t *testing.T) {
	r := newRelay(t)
	half, whole := r.dial(), r.dial()
	half.say(`{"command":"worker:ack","pid":1}` + "\n")
	half.halfClose()
	r.call().Carry(1)
	whole.say(`{"command":"worker:ack","pid":2}` + "\n")
	f := &fixture{t: t, srv: r.srv}
	eventually(t, "the second waits to be taken", func() bool { return f.uses()[useMoving] == 1 })
	r.handOver()
	arrived := r.srv.Arrived()
	if arrived == nil {
		t.Fatal("nothing is there")
	}
	pids := map[int]bool{}
	for arrived != nil {
		select {
		case k := <-r.srv.Calls():
			pids[k.PID] = true
		case <-arrived:
			arrived = nil
		}
	}
	if !pids[1] || !pids[2] {
		t.Errorf("only %v had arrived", pids)
	}
}

func TestSuspendedServerDoesNothing(t *testing.T) {
	r := newRelay(t)
	c := r.dial()
	c.say(`{"command":"a"}` + "\n")
	r.call().Answer("a", nil)
	c.expect(`"a"`)
	r.suspend0(func() {
		c.say(`{"command":"b"}` + "\n")
		late := r.dial()
		late.say(`{"command":"c"}` + "\n")
		select {
		case k := <-r.srv.Calls():
			t.Errorf("got %q", k.Command)
		default:
		}
		if r.srv.Arrived() != nil {
			t.Error("something arrives")
		}
		if _, err := r.srv.Suspend(); err == nil {
			t.Error("suspended twice")
		}
	})
	got := map[string]bool{r.call().Command: true, r.call().Command: true}
	if !got["b"] || !got["c"] {
		t.Errorf("got %v", got)
	}
}

func TestArrivedSpansASuspension(t *testing.T) {
	r := newRelay(t)
	c := r.dial()
	c.say(`{"command":"a"}` + "\n")
	arrived := r.srv.Arrived()
	r.stay()
	r.call()
	if arrived != nil {
		<-arrived
	}
	if t.Failed() {
		t.Error("it ended without its call")
	}
}

// The longest idle one is still that after a handover, and limits hold.
func TestEvictionAfterHandOver(t *testing.T) {
	r := newRelay(t)
	var all []*client
	for range 4 {
		c := r.dial()
		all = append(all, c)
		c.say(`{"command":"x"}` + "\n")
		r.call().Answer("ok", nil)
		c.expect(`"ok"`)
	}
	handed := r.suspend()
	next := r.next()
	next.maxConns = 4
	for _, h := range handed {
		if err := next.Adopt(h.FD, h.Data); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := deadEnd()
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Adopt(fd, []byte(`{}`)); err == nil {
		t.Error("one too many was adopted")
	}
	// Unless it brings a request: who has sent that may have made room already.
	if fd, err = deadEnd(); err != nil {
		t.Fatal(err)
	}
	if err := next.Adopt(fd, []byte(`{"eof":true,"deaf":true,"calls":[{"line":"e30="}]}`)); err != nil {
		t.Error(err)
	}
	next.Resume()
	r.srv.Close(0)
	r.srv = next
	f := &fixture{t: t, srv: next}
	// The one that hung up would be evicted first, being longest idle, until it is noticed.
	eventually(t, "four at rest and no other", func() bool { return f.uses()[useIdle] == 4 && f.count() == 4 })
	r.dial()
	all[0].expectEnd()
	eventually(t, "three of four are left", func() bool { return f.count() == 4 })
}

func TestTooFarBehindToBeHandedOver(t *testing.T) {
	r := newRelay(t)
	c := r.dial()
	c.say(`{"command":"x"}` + "\n" + `{"command":"y"}` + "\n")
	k := r.call()
	const most, more = 100 << 10, 2 << 20
	r.srv.maxHandedOutput = most
	k.Answer(strings.Repeat("z", most+more), nil)
	r.handOver()
	n, err := io.Copy(io.Discard, c.in)
	if err != nil || n < most || n >= most+more {
		t.Errorf("read %d bytes: %v", n, err)
	}
}

func TestSuspendWithoutDescriptors(t *testing.T) {
	r := newRelay(t)
	c := r.dial()
	c.say(`{"command":"x"}` + "\n")
	k := r.call()
	r.srv.dup = func(int) (int, error) { return -1, fmt.Errorf("no more") }
	if all, err := r.srv.Suspend(); err == nil || len(all) > 0 {
		t.Errorf("got %d connections, %v", len(all), err)
	}
	r.srv.Resume()
	k.Answer("ok", nil)
	c.expect(`"ok"`)
}
