// SPDX-License-Identifier: GPL-3.0-or-later

// Package examples tests the example workers as a manager and clients see
// them: from outside.
package examples

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"einhyrningsins/bench/drain/fleet"
	"einhyrningsins/bench/load"
)

// goBinary is built by TestMain.
var goBinary string

// interpreted are the examples in other languages.
var interpreted = map[string][2]string{
	"node":   {"node", "node-http/server.js"},
	"python": {"python3", "python-http/server.py"},
	"ruby":   {"ruby", "ruby-http/server.rb"},
}

// commands are the examples, as they are started.
var commands = map[string][]string{}

// TestReadmesBuild has each README build where nothing is in the way.
func TestReadmesBuild(t *testing.T) {
	readmes, _ := filepath.Glob("*/README.md")
	output := regexp.MustCompile(`(?m)^    (?:cc|rustc|go build) .*-o (\S+)`)
	builds := 0
	for _, readme := range readmes {
		text, err := os.ReadFile(readme)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range output.FindAllStringSubmatch(string(text), -1) {
			builds++
			if info, err := os.Stat(filepath.Join("..", m[1])); err == nil && info.IsDir() {
				t.Errorf("%s builds %s, which is a directory", readme, m[1])
			}
			if !strings.Contains(string(text), "-- ./"+m[1]) {
				t.Errorf("%s builds %s, and runs something else", readme, m[1])
			}
		}
	}
	if builds < 5 {
		t.Errorf("found %d builds", builds)
	}
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goBinary = filepath.Join(dir, "go-http")
	daemonBinary = filepath.Join(dir, "einhyrningsins")
	for output, source := range map[string]string{goBinary: "./go-http", daemonBinary: "../cmd/einhyrningsins"} {
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", output, source).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build %s: %v\n%s", source, err, out)
			os.Exit(1)
		}
	}
	commands["go"] = []string{goBinary, "-build", "x"}
	for name, words := range interpreted {
		if program, err := exec.LookPath(words[0]); err == nil {
			commands[name] = []string{program, words[1], "--build", "x"}
		}
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// each runs a test for every example. There may be no Python, for example.
func each(t *testing.T, test func(t *testing.T, f *fleet.Fleet)) {
	for _, name := range []string{"go", "node", "python", "ruby"} {
		t.Run(name, func(t *testing.T) {
			if commands[name] == nil {
				t.Skip(interpreted[name][0] + " is not installed")
			}
			t.Parallel()
			f, err := fleet.New(commands[name], os.Environ())
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			test(t, f)
		})
	}
}

func TestNothingIsLostInRestarts(t *testing.T) {
	each(t, func(t *testing.T, f *fleet.Fleet) {
		if err := f.Grow(2); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var answers atomic.Int64
		loaded := make(chan load.Result, 1)
		go func() {
			r, err := load.Run(ctx, load.Options{
				Addr: f.Addr(), Conns: 6, NewFraction: 0.5, OnAnswer: func([]byte) { answers.Add(1) },
			})
			if err != nil {
				t.Error(err)
			}
			loaded <- r
		}()
		for i := 0; i < 8 || (answers.Load() < 5000 && i < 2000); i++ {
			if err := f.ReplaceOldest(); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.WaitDrained(); err != nil {
			t.Error(err)
		}
		stop()
		got := <-loaded
		if got.Lost != 0 || got.Requests == 0 {
			t.Errorf("want none lost: %v", got)
		}
		t.Log(got)
	})
}

func TestDrain(t *testing.T) {
	each(t, func(t *testing.T, f *fleet.Fleet) {
		if err := f.Grow(1); err != nil {
			t.Fatal(err)
		}
		// Connections are accepted in their order, so once a later one has its
		// answer the earlier ones were accepted.
		unused, half, idle, probe := dial(t, f.Addr()), dial(t, f.Addr()), dial(t, f.Addr()), dial(t, f.Addr())
		half.send(get[:7])
		if body, last := idle.ask(); !strings.Contains(body, "index=0 build=x") || last {
			t.Errorf("got %q, last %v", body, last)
		}
		probe.ask()
		if err := f.StopOldest(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		for last := false; !last; {
			_, last = probe.ask()
		}
		probe.wantClosed()
		half.send(get[7:])
		if _, last := half.receive(); !last {
			t.Error("the half-sent request was not told to be the last")
		}
		for name, c := range map[string]*visitor{"unused": unused, "idle": idle} {
			if _, last := c.ask(); !last {
				t.Errorf("the %s connection was not told that its answer is the last", name)
			}
			c.wantClosed()
		}
		if err := f.WaitDrained(); err != nil {
			t.Error(err)
		}
	})
}

// TestTermEndsSoon has a silent connection, for which TERM does not wait as
// long as the graceful signal does.
func TestTermEndsSoon(t *testing.T) {
	each(t, func(t *testing.T, f *fleet.Fleet) {
		if err := f.Grow(1); err != nil {
			t.Fatal(err)
		}
		unused, probe := dial(t, f.Addr()), dial(t, f.Addr())
		probe.ask()
		if err := f.StopOldest(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		unused.wantClosed()
		probe.wantClosed()
		if err := f.WaitDrained(); err != nil {
			t.Error(err)
		}
	})
}

func TestSlowRequestIsFinished(t *testing.T) {
	f, err := fleet.New(commands["go"], os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Grow(1); err != nil {
		t.Fatal(err)
	}
	slow, probe := dial(t, f.Addr()), dial(t, f.Addr())
	slow.send("GET /slow?for=300ms HTTP/1.1\r\nHost: x\r\n\r\n")
	probe.ask()
	if err := f.StopOldest(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	slow.receive()
	probe.nc.Close()
	slow.nc.Close()
	if err := f.WaitDrained(); err != nil {
		t.Error(err)
	}
}

func TestExamplesSayWhatIsMissing(t *testing.T) {
	for name, words := range interpreted {
		if commands[name] == nil {
			t.Skip(words[0] + " is not installed")
		}
		for env, want := range map[string]string{"X=": "EINHORN_FD_0 is not set", "EINHORN_FD_COUNT=1 EINHORN_FD_0=0": "cannot use EINHORN_FD_0=0"} {
			cmd := exec.Command(commands[name][0], commands[name][1:]...)
			cmd.Env = append(os.Environ(), strings.Fields(env)...)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), want) || strings.Count(string(out), "\n") != 1 {
				t.Errorf("%s, %s: want %q alone, got %v, %s", name, env, want, err, out)
			}
		}
	}
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// visitor is one connection to a worker.
type visitor struct {
	t  *testing.T
	nc net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, addr string) *visitor {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second)) // a test that hangs fails
	return &visitor{t: t, nc: nc, in: bufio.NewReader(nc)}
}

func (c *visitor) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *visitor) receive() (body string, last bool) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatal(resp.Status, err)
	}
	return string(b), resp.Close
}

func (c *visitor) ask() (body string, last bool) {
	c.t.Helper()
	c.send(get)
	return c.receive()
}

func (c *visitor) wantClosed() {
	c.t.Helper()
	if b, err := c.in.ReadByte(); err != io.EOF {
		c.t.Fatalf("want the connection closed, got byte %q, %v", b, err)
	}
}
