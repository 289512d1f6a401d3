// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
)

// patience bounds a wait for something that must happen; it is never slept.
const patience = 20 * time.Second

// quietLog is a log that nobody reads.
type quietLog struct{}

func (quietLog) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}
func (quietLog) Flush(time.Duration) bool { return true }
func (quietLog) SetLevel(slog.Level)      {}

// fakeKeeper is the test, in the keeper's place: a real link, a real control
// socket, and a master that runs in a goroutine.
type fakeKeeper struct {
	t     *testing.T
	path  string
	cfg   config.Config
	hello link.Hello
	conn  *link.Conn
	ended chan error
	pid   int            // of the next worker
	fds   map[uint64]int // that come with the table of children
	looks bool           // the test answers looks itself

	stream int // where the next master takes over from the last; 0: it does not
}

func newFakeKeeper(t *testing.T) *fakeKeeper {
	t.Helper()
	return &fakeKeeper{
		t: t, path: filepath.Join(t.TempDir(), "s"), pid: 1 << 28, // pids that no process has
		cfg: config.Config{
			Program: []string{"p"}, Number: 1, AckManual: true, AckTimeout: time.Hour,
			Retries: 10, UpgradeRetries: 3, Seconds: time.Second, MaxUnacked: 4,
			GracefulSignal: int(unix.SIGUSR2), KillTimeout: time.Hour,
		},
		hello: link.Hello{Version: link.Version, KeeperPID: os.Getpid(), NextSerial: 1},
	}
}

// start runs a master with this table of children.
func (k *fakeKeeper) start(children ...link.Child) {
	k.t.Helper()
	if k.stream > 0 {
		os.Rename(k.path, k.path+".old") // its clients are connected
	}
	os.Remove(k.path)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: k.path, Net: "unix"})
	if err != nil {
		k.t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	if err != nil {
		k.t.Fatal(err)
	}
	fd, err := unix.Dup(int(f.Fd()))
	f.Close()
	l.Close()
	if err != nil {
		k.t.Fatal(err)
	}
	conn, theirs, err := link.Pair()
	if err != nil {
		k.t.Fatal(err)
	}
	ended := make(chan error, 1)
	k.conn, k.ended = conn, ended
	go func() {
		ended <- Run(theirs, func(*config.Config) Log { return quietLog{} })
	}()
	k.hello.Config, _ = json.Marshal(k.cfg)
	k.hello.Children = len(children)
	fds := []int{fd}
	if k.stream > 0 {
		fds, k.stream, k.hello.Reload = append(fds, k.stream), 0, true
	}
	conn.Send(&k.hello, fds...)
	for _, c := range children {
		if fd, ok := k.fds[c.Serial]; ok {
			conn.Send(&c, fd)
		} else {
			conn.Send(&c)
		}
	}
	conn.Send(&link.Begin{})
	conn.Send(&link.Lead{}) // the answer to Live, which is to come
	k.t.Cleanup(conn.Close)
}

// receive takes the master's next message.
func (k *fakeKeeper) receive() link.Message {
	k.t.Helper()
	select {
	case in, open := <-k.conn.In():
		if !open {
			k.t.Fatalf("the master closed the link: %v", <-k.ended)
		}
		if m, ok := in.Msg.(*link.Look); ok && !k.looks {
			k.conn.Send(&link.Looked{Launch: link.Launch{Generation: m.Generation, Program: "/p"}})
			return k.receive()
		}
		return in.Msg
	case <-time.After(patience):
		k.t.Fatal("the master says nothing")
	}
	panic("unreachable")
}

// expect takes messages until one of type M comes, and returns it.
func expect[M link.Message](k *fakeKeeper) M {
	k.t.Helper()
	for {
		switch m := k.receive().(type) {
		case M:
			return m
		case *link.Exit:
			k.t.Fatalf("the master asks to end: %+v", m)
		}
	}
}

// spawned answers the next spawn and returns the worker's serial and pid.
func (k *fakeKeeper) spawned() (serial uint64, pid int) {
	k.t.Helper()
	m := expect[*link.Spawn](k)
	k.pid++
	k.conn.Send(&link.Spawned{Serial: m.Serial, PID: k.pid, At: link.Now()})
	return m.Serial, k.pid
}

// client is a connection to the control socket.
type client struct {
	t *testing.T
	net.Conn
	lines *bufio.Scanner
}

func (k *fakeKeeper) client() *client {
	k.t.Helper()
	c, err := net.Dial("unix", k.path)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		k.t.Fatal(err)
	}
	return &client{k.t, c, bufio.NewScanner(c)}
}

func (c *client) say(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format+"\n", args...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) hear() string {
	c.t.Helper()
	if !c.lines.Scan() {
		c.t.Fatalf("no answer: %v", c.lines.Err())
	}
	return c.lines.Text()
}

// heard expects an answer with this in it.
func (c *client) heard(want string) {
	c.t.Helper()
	if got := c.hear(); !strings.Contains(got, want) {
		c.t.Errorf("the answer is %s, want %s in it", got, want)
	}
}

// silent checks that nothing was answered yet, after the loop has taken another
// request: the server answers the line behind that one by itself.
func (c *client) silent(k *fakeKeeper) {
	c.t.Helper()
	other := k.client()
	other.say("{\"command\":\"worker:ping\",\"pid\":1}\nno request")
	other.heard("not a JSON object")
	c.nothing()
}

// nothing checks that nothing was answered yet.
func (c *client) nothing() {
	c.t.Helper()
	raw, err := c.Conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		c.t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, _ := unix.Poll(p, 0); n > 0 {
			c.t.Error("there is an answer already")
		}
	})
}

func fileOf(fd int) *os.File { return os.NewFile(uintptr(fd), "test") }
