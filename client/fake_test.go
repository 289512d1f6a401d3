// SPDX-License-Identifier: MIT

package client

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"einhyrningsins/internal/wire"
)

// fake is a master that says what a test wants it to. Its listener stands for
// the keeper's: it outlives any number of masters.
type fake struct {
	t    *testing.T
	path string
	ln   *net.UnixListener

	mu    sync.Mutex
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// handler answers one request; what it returns false for, the connection does
// not survive.
type handler func(s *session, r wire.Request) bool

// session is one connection at the fake's end.
type session struct {
	f  *fake
	nc net.Conn
	mu sync.Mutex
}

func (s *session) reply(r wire.Request, rep wire.Reply) {
	rep.RequestID = r.ID
	s.line(wire.Encode(rep))
}

func (s *session) line(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nc.Write(b)
}

func (s *session) ok(r wire.Request, message string) bool {
	s.reply(r, wire.Reply{OK: true, Message: message})
	return true
}

func (s *session) fail(r wire.Request, code wire.Code, message string) bool {
	s.reply(r, wire.Reply{Err: wire.Errorf(code, "%s", message)})
	return true
}

func (s *session) step(r wire.Request, wait bool, p wire.Progress, message string) bool {
	data, _ := json.Marshal(p)
	s.reply(r, wire.Reply{OK: true, Wait: wait, Data: data, Message: message})
	return true
}

func (s *session) status(r wire.Request, st wire.Status) bool {
	data, _ := json.Marshal(st)
	s.reply(r, wire.Reply{OK: true, Data: data})
	return true
}

func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ein") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func newFake(t *testing.T, h handler) *fake {
	t.Helper()
	f := &fake{t: t, path: socketPath(t), conns: make(map[net.Conn]bool)}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: f.path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	f.ln = ln
	f.wg.Add(1)
	go f.accept(h)
	t.Cleanup(f.stop)
	return f
}

func (f *fake) accept(h handler) {
	defer f.wg.Done()
	for {
		nc, err := f.ln.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns[nc] = true
		f.mu.Unlock()
		f.wg.Add(1)
		go f.serve(nc, h)
	}
}

func (f *fake) serve(nc net.Conn, h handler) {
	defer f.wg.Done()
	defer func() {
		nc.Close()
		f.mu.Lock()
		delete(f.conns, nc)
		f.mu.Unlock()
	}()
	s := &session{f: f, nc: nc}
	in := bufio.NewReader(nc)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		r, err := wire.ParseRequest(line)
		if err != nil {
			f.t.Errorf("client sent %q: %v", line, err)
			return
		}
		if !h(s, r) {
			return
		}
	}
}

// hangUp ends all connections, as the death of a master does.
func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for nc := range f.conns {
		nc.Close()
	}
}

func (f *fake) stop() {
	f.ln.Close()
	f.hangUp()
	f.wg.Wait()
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func connect(t *testing.T, path string) *Client {
	t.Helper()
	c, err := Dial(testContext(t), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
