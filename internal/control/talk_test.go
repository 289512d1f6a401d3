// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"einhyrningsins/internal/wire"
)

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

func TestForms(t *testing.T) {
	f := serve(t, nil)
	f.loop(func(c *Call) {
		switch c.Command {
		case "bad":
			c.Fail(wire.Errorf(wire.Refused, "no"))
		case "long":
			c.Progress("one", map[string]int{"n": 1})
			c.Progress("two", nil)
			c.Answer("three", []int{3})
			c.Answer("four", nil)
			c.Fail(wire.Errorf(wire.Refused, "five"))
			c.Progress("six", nil)
		default:
			echo(c)
		}
	})
	c := f.dial()
	c.say(`{"command":"ehlo"}` + "\n")
	c.expect(`"did ehlo"`)
	c.say("\n\r\n" + `{"command":"ehlo","id":7}` + "\r\n")
	c.expect(`{"request_id":7,"ok":true,"message":"did ehlo"}`)
	c.say(`{"command":"bad"}` + "\n" + `{"command":"bad","id":"x"}` + "\n")
	c.expect(`"no"`)
	c.expect(`{"request_id":"x","ok":false,"error":{"code":"refused","message":"no"}}`)
	c.say(`{"command":"long"}` + "\n" + `{"command":"long","id":1}` + "\n")
	c.expect(`"three"`)
	c.expect(`{"request_id":1,"ok":true,"message":"one","data":{"n":1},"wait":true}`)
	c.expect(`{"request_id":1,"ok":true,"message":"two","wait":true}`)
	c.expect(`{"request_id":1,"ok":true,"message":"three","data":[3]}`)
	c.say(`{"command":"ehlo"}` + "\n")
	c.expect(`"did ehlo"`)
}

func TestUnencodableDataIsAnError(t *testing.T) {
	f := serve(t, nil)
	f.loop(func(c *Call) { c.Answer("", func() {}) })
	c := f.dial()
	c.say(`{"command":"x","id":1}` + "\n")
	c.expectError("1", "cannot encode")
}

func TestRefusedLinesKeepTheConnection(t *testing.T) {
	f := serve(t, nil)
	f.loop(echo)
	c := f.dial()
	for _, bad := range []struct{ line, id, part string }{
		{"garbage", "", "not a JSON object"},
		{"\x00\xff\xfe", "", "not a JSON object"},
		{`"inc"`, "", "not a JSON object"},
		{`{"id":5}`, "5", `"command"`},
		{`{"command":"inc","args":"2","id":"a"}`, `"a"`, `"args"`},
		{`{"command":"worker:ack","pid":"x"}`, "", `"pid"`},
		{`{"command":"x","id":{}}`, "", `"id"`},
	} {
		c.say(bad.line + "\n")
		c.expectError(bad.id, bad.part)
	}
	c.say(`{"command":"ehlo"}` + "\n")
	c.expect(`"did ehlo"`)
}

func TestLineTooLong(t *testing.T) {
	f := serve(t, nil)
	f.loop(echo)
	c := f.dial()
	piece := bytes.Repeat([]byte("x"), 100_000)
	for range 50 {
		c.say(string(piece))
	}
	c.expectError("", "longer than 65536 bytes")
	c.say("\n" + `{"command":"ehlo"}` + "\n")
	c.expect(`"did ehlo"`)
	long := `{"command":"ehlo","args":["` + strings.Repeat("y", wire.MaxLine-31) + `"]}` + "\n"
	if len(long) != wire.MaxLine {
		t.Fatalf("line has %d bytes", len(long))
	}
	c.say(long)
	c.expect(`"did ehlo"`)
}

func TestRequestInPieces(t *testing.T) {
	f := serve(t, nil)
	f.loop(echo)
	c := f.dial()
	for _, b := range []byte(`{"command":"ehlo"}` + "\n") {
		c.say(string(b))
	}
	c.expect(`"did ehlo"`)
}

// printf | nc: no newline, and the writing side closed.
func TestLastLineWithoutNewline(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	c.say(`{"command":"first"}` + "\n" + `{"command":"last"}`)
	c.halfClose()
	first, last := f.call(), f.call()
	if first.Command != "first" || last.Command != "last" {
		t.Errorf("got %q, %q", first.Command, last.Command)
	}
	if last.Gone() {
		t.Error("a client that still reads counts as gone")
	}
	last.Answer("b", nil)
	first.Answer("a", nil)
	c.expect(`"b"`)
	c.expect(`"a"`)
	c.expectEnd()
	eventually(t, "connection forgotten", func() bool { return f.count() == 0 })
}

func TestHalfALineThenTheEnd(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	c.say(`{"command":"wor`)
	c.halfClose()
	c.expectError("", "not a JSON object")
	c.expectEnd()
}

func TestPipelining(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	var sent strings.Builder
	for i := range 20 {
		fmt.Fprintf(&sent, `{"command":"c%d","id":%d}`+"\n", i, i)
	}
	c.say(sent.String())
	var calls []*Call
	for i := range 20 {
		call := f.call()
		if want := fmt.Sprintf("c%d", i); call.Command != want {
			t.Fatalf("call %d is %q", i, call.Command)
		}
		calls = append(calls, call)
	}
	for i := 19; i >= 0; i-- {
		calls[i].Answer("", nil)
		c.expect(fmt.Sprintf(`{"request_id":%d,"ok":true}`, i))
	}
}

func TestAckAndClose(t *testing.T) {
	f := serve(t, nil)
	for i := range 50 {
		c := f.dial()
		c.say(fmt.Sprintf(`{"command":"worker:ack","pid":%d}`, i+1))
		_ = c.Close()
	}
	for range 50 {
		call := f.call()
		if call.Command != wire.WorkerAck || call.HasID() {
			t.Errorf("got %+v", call.Request)
		}
		eventually(t, "gone", call.Gone)
		call.AnswerAndClose("Acknowledged!", nil)
		call.Progress("", nil)
	}
	eventually(t, "all forgotten", func() bool { return f.count() == 0 })
}

// An ACK behind a request whose answer nobody reads counts too.
func TestAckBehindUnreadAnswer(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	c.say(`{"command":"ehlo"}` + "\n")
	first := f.call()
	c.say(strings.Repeat("garbage\n", 3) + `{"command":"worker:ack","pid":1}` + "\n")
	_ = c.Close()
	first.Answer("hello", nil)
	if call := f.call(); call.Command != wire.WorkerAck {
		t.Errorf("got %q", call.Command)
	}
}

func TestAnswerAndClose(t *testing.T) {
	f := serve(t, nil)
	f.loop(func(c *Call) { c.AnswerAndClose("Acknowledged!", nil) })
	c := f.dial()
	c.say(`{"command":"worker:ack","pid":1}` + "\n")
	c.expect(`"Acknowledged!"`)
	c.expectEnd()
}

func TestDoneSendsNothing(t *testing.T) {
	f := serve(t, nil)
	f.loop(func(c *Call) {
		if c.Command == wire.WorkerPing {
			c.Done()
			return
		}
		echo(c)
	})
	c := f.dial()
	c.say(`{"command":"worker:ping","pid":1,"request_id":"a"}` + "\n" + `{"command":"ehlo"}` + "\n")
	c.expect(`"did ehlo"`)
	c.halfClose()
	c.expectEnd()
}

func TestPeer(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	c.say(`{"command":"x"}` + "\n")
	p := f.call().Peer
	if p.UID != os.Geteuid() || !p.Trusted {
		t.Errorf("peer is %+v", p)
	}
	if p.PID != 0 && (p.PID != os.Getpid() || p.Group != syscall.Getpgrp()) {
		t.Errorf("peer is %+v, want pid %d, group %d", p, os.Getpid(), syscall.Getpgrp())
	}
	for _, s := range []struct {
		p    Peer
		pid  int
		want bool
	}{
		{Peer{PID: 5, Group: 4}, 5, true},
		{Peer{PID: 5, Group: 4}, 4, true},
		{Peer{PID: 5, Group: 4}, 3, false},
		{Peer{}, 0, false},
		{Peer{PID: 5}, -5, false},
	} {
		if got := s.p.Speaks(s.pid); got != s.want {
			t.Errorf("%+v speaks for %d: %v", s.p, s.pid, got)
		}
	}
	if got := (Peer{PID: 1 << 30}).current(); got.Group != 0 {
		t.Errorf("a process that doesn't exist has group %d", got.Group)
	}
	if got := (Peer{}).current(); got.Group != 0 {
		t.Errorf("an unknown process has group %d", got.Group)
	}
}

func TestHangUpWhileUnderWay(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	c.say(`{"command":"upgrade","id":1}` + "\n")
	call := f.call()
	call.Progress("begun", nil)
	c.line()
	if call.Gone() {
		t.Error("gone before it went")
	}
	_ = c.Close()
	eventually(t, "forgotten", func() bool { return f.count() == 0 })
	if !call.Gone() {
		t.Error("not gone")
	}
	call.Progress("more", nil)
	call.Answer("done", nil)
}

func TestClose(t *testing.T) {
	f := serve(t, nil)
	reader, silent, waiting := f.dial(), f.dial(), f.dial()
	big := strings.Repeat("z", 4<<20)
	for _, c := range []*client{reader, silent} {
		c.say(`{"command":"x"}` + "\n")
		f.call().Answer(big, nil)
	}
	waiting.say(`{"command":"y"}` + "\n" + `{"command":"z"}` + "\n")
	f.call()
	got := make(chan error, 1)
	go func() {
		s, err := reader.in.ReadString('\n')
		if err == nil && len(s) != len(big)+3 {
			err = fmt.Errorf("got %d bytes", len(s))
		}
		got <- err
	}()
	go func() { // the reader has all: let the silent one wait in vain
		err := <-got
		got <- err
		_ = silent.Close()
	}()
	f.srv.Close(patience)
	if err := <-got; err != nil {
		t.Error(err)
	}
	waiting.expectEnd()
	f.srv.Close(0)
	if ch := f.srv.Arrived(); ch != nil {
		t.Error("something arrives after the end")
	}
	if _, err := os.Stat(f.path); err != nil {
		t.Error("the path is gone:", err)
	}
}

func TestCloseDoesNotWaitForNonReaders(t *testing.T) {
	f := serve(t, nil)
	c := f.dial()
	c.say(`{"command":"x"}` + "\n")
	f.call().Answer(strings.Repeat("z", 4<<20), nil)
	f.srv.Close(time.Millisecond)
	if n, err := io.Copy(io.Discard, c.in); err == nil && n >= 4<<20 {
		t.Errorf("read %d bytes, which nobody can have sent", n)
	}
}
