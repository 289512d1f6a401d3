// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"einhyrningsins/internal/wire"
)

var discard = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		os.Exit(stoppedMaster(path))
	}
	goleak.VerifyTestMain(m)
}

// fixture is a server on a socket of its own. Tests play the loop.
type fixture struct {
	t    *testing.T
	srv  *Server
	path string
}

// listen makes a listening socket, whose path is the file's name.
func listen(t testing.TB) *os.File {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return listenAt(t, filepath.Join(dir, "s"))
}

func listenAt(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := listenOn(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func listenOn(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, unix.SOMAXCONN), unix.SetNonblock(fd, true)); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), path), nil
}

// serve starts a server; set changes it before it begins.
func serve(t *testing.T, set func(*Server)) *fixture {
	t.Helper()
	l := listen(t)
	path := l.Name()
	s := newServer(slog.New(slog.DiscardHandler))
	if set != nil {
		set(s)
	}
	if err := s.Replace(l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(0) })
	return &fixture{t, s, path}
}

// loop answers every call by h until the test ends.
func (f *fixture) loop(h func(*Call)) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case c := <-f.srv.Calls():
				h(c)
			case <-stop:
				return
			}
		}
	}()
	f.t.Cleanup(func() { close(stop); <-stopped })
}

func echo(c *Call) { c.Answer("did "+c.Command, nil) }

// call is the next request.
func (f *fixture) call() *Call {
	f.t.Helper()
	select {
	case c := <-f.srv.Calls():
		return c
	case <-time.After(patience):
		f.t.Fatal("no call came")
		return nil
	}
}

// patience is when a test gives up; nothing waits that long when all is well.
const patience = 30 * time.Second

// client is the other end.
type client struct {
	*net.UnixConn
	t  *testing.T
	in *bufio.Reader
}

func (f *fixture) dial() *client {
	f.t.Helper()
	return dial(f.t, f.path)
}

func dial(t *testing.T, path string) *client {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = c.Close() })
	return &client{c, t, bufio.NewReader(c)}
}

func (c *client) say(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) line() string {
	c.t.Helper()
	s, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("cannot read answer: %v (after %q)", err, s)
	}
	return strings.TrimSuffix(s, "\n")
}

func (c *client) expect(want string) {
	c.t.Helper()
	if got := c.line(); got != want {
		c.t.Errorf("answer is\n%s\nwant\n%s", got, want)
	}
}

func (c *client) expectError(id, part string) {
	c.t.Helper()
	got := c.line()
	if id == "" {
		var s string
		if json.Unmarshal([]byte(got), &s) != nil || !strings.Contains(s, part) {
			c.t.Errorf("answer is %s, want a string with %q", got, part)
		}
		return
	}
	r, err := wire.ParseReply([]byte(got))
	if err != nil || r.OK || r.Err == nil || string(r.RequestID) != id || !strings.Contains(r.Err.Message, part) {
		c.t.Errorf("answer is %s, want a failure for id %s with %q", got, id, part)
	}
}

// expectEnd wants the server to close without another line.
func (c *client) expectEnd() {
	c.t.Helper()
	s, err := c.in.ReadString('\n')
	if s != "" || (!errors.Is(err, io.EOF) && !isReset(err)) {
		c.t.Errorf("got %q, %v; want the connection closed", s, err)
	}
}

func (c *client) halfClose() {
	c.t.Helper()
	if err := c.CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}

// eventually waits for a state that is told by no event.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(patience)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("not reached: %s", what)
		}
	}
}

func (f *fixture) count() int {
	f.srv.mu.Lock()
	defer f.srv.mu.Unlock()
	return len(f.srv.conns)
}

// uses counts what connections are up to, as eviction sees it.
func (f *fixture) uses() map[use]int {
	f.srv.mu.Lock()
	defer f.srv.mu.Unlock()
	n := make(map[use]int)
	for c := range f.srv.conns {
		n[c.use()]++
	}
	return n
}
