// SPDX-License-Identifier: MIT

package client

import (
	"bufio"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"einhyrningsins/internal/wire"
)

func TestAnswerThatIsTooLong(t *testing.T) {
	in := func(n int) *bufio.Reader {
		return bufio.NewReaderSize(strings.NewReader(strings.Repeat("x", n)+"\n"), 16)
	}
	if line, err := readLine(in(99), 100); len(line) != 100 || err != nil {
		t.Errorf("got %d bytes, %v", len(line), err)
	}
	_, err := readLine(in(100), 100)
	if err = explain("status", true, err); err.Error() != "cannot read the answer to status: it is longer than the 100 bytes that a client takes" || strings.Contains(err.Error(), "connection") {
		t.Errorf("got %v", err)
	}
}

// What another server says ends the request at once, with what it is.
func TestServerThatIsNotOurs(t *testing.T) {
	for _, said := range []string{"220 mail.example ESMTP\r\n", "{\"jsonrpc\":\n", "[]\n"} {
		asked := 0
		f := newFake(t, func(s *session, r wire.Request) bool {
			asked++
			s.line([]byte(said))
			return true
		})
		_, err := connect(t, f.path).Upgrade(testContext(t), Smooth, nil)
		if err == nil || !strings.Contains(err.Error(), "cannot read the answer to status: ") || !strings.Contains(err.Error(), "is this an einhyrningsins?") || strings.Contains(err.Error(), "connection") || asked != 1 {
			t.Errorf("%q: got %v after %d requests", said, err, asked)
		}
	}
}

// silences collects what is told of them.
func silences(c *Client) chan Silence {
	told := make(chan Silence, 99)
	c.OnSilence(time.Millisecond, func(s Silence) { told <- s })
	return told
}

func TestSilenceIsToldOnce(t *testing.T) {
	requests := make(chan wire.Request, 1)
	answer := make(chan bool)
	f := newFake(t, func(s *session, r wire.Request) bool {
		requests <- r
		<-answer
		return s.ok(r, "1")
	})
	c := connect(t, f.path)
	told, answered := silences(c), make(chan error, 1)
	go func() {
		_, err := c.Version(testContext(t))
		answered <- err
	}()
	<-requests
	if s := <-told; s.Answers || runtime.GOOS == "linux" && s.PID != os.Getpid() {
		t.Errorf("told %+v", s)
	}
	close(answer)
	if err := <-answered; err != nil || len(told) > 0 {
		t.Errorf("%v; told %d times more", err, len(told))
	}
}

// A request that has had answers may be long in having more: then it counts whether
// the server answers at all.
func TestSilenceBetweenAnswers(t *testing.T) {
	var hangs atomic.Bool
	steps := make(chan bool) // whether more follow
	f := newFake(t, func(s *session, r wire.Request) bool {
		switch {
		case r.Command == wire.StatusCmd:
			return s.status(r, wire.Status{Generation: 1})
		case r.Command == wire.Ehlo && hangs.Load():
			return true
		case r.Command == wire.Ehlo:
			return s.ok(r, "hello")
		}
		s.f.wg.Add(1)
		go func() {
			defer s.f.wg.Done()
			for more := true; more; {
				more = <-steps
				s.step(r, more, wire.Progress{Generation: 2, State: wire.UpgradeRunning}, "a step")
			}
		}()
		return true
	})
	c := connect(t, f.path)
	if _, err := c.Status(testContext(t)); err != nil {
		t.Fatal(err)
	}
	told, ended := silences(c), make(chan error, 1)
	go func() {
		_, err := c.Upgrade(testContext(t), Smooth, nil)
		ended <- err
	}()
	steps <- true
	for s := range told { // an answer may come too late on a busy machine
		if s.Answers {
			break
		}
		steps <- true
	}
	hangs.Store(true)
	for s := range told {
		if !s.Answers {
			break
		}
	}
	steps <- false
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
