// SPDX-License-Identifier: MIT

package worker

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// manager starts a manager of somebody else's, and ends it by TERM.
func manager(t *testing.T, role, name string, args ...string) (cmd *exec.Cmd, out, complaints *bufio.Reader) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(name + " is not installed")
	}
	cmd = exec.Command(path, append(args, os.Args[0])...)
	cmd.Env = append(os.Environ(), roleVar+"="+role, "GORACE=atexit_sleep_ms=0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	// It holds the sockets role back until the end of the test.
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	run(t, cmd)
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Signal(syscall.SIGTERM)
			cmd.Wait()
		}
	})
	return cmd, bufio.NewReader(stdout), bufio.NewReader(stderr)
}

// TestUnderSystemdSocketActivate: it waits for a client and then becomes the
// worker.
func TestUnderSystemdSocketActivate(t *testing.T) {
	for network, want := range map[string]string{"unix": "unix true web\n", "unixgram": "unixgram true web\n"} {
		t.Run(network, func(t *testing.T) {
			m := mixed{addrs: []net.Addr{&net.UnixAddr{Net: network, Name: filepath.Join(t.TempDir(), "s")}}}
			args := []string{"-E", roleVar, "-E", "GORACE", "--fdname=web", "-l", m.addrs[0].String()}
			if network == "unixgram" {
				args = append(args, "--datagram")
			}
			_, out, complaints := manager(t, "sockets", "systemd-socket-activate", args...)
			if line, err := complaints.ReadString('\n'); !strings.HasPrefix(line, "Listening on") {
				t.Fatal(line, err)
			}
			m.wantAnswers(t)
			if got, err := out.ReadString('\n'); got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

// TestUnderServerStarter restarts under load, as Server::Starter does: the new
// worker is started, and some time later the old one gets TERM.
func TestUnderServerStarter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	cmd, out, complaints := manager(t, "serve", "start_server", "--interval=1", "--path="+path, "--")
	wantEnd := func() { // of an old worker, with status 0
		t.Helper()
		for {
			line, err := complaints.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, " died, status:") {
				if !strings.HasPrefix(line, "old worker ") || !strings.HasSuffix(line, " died, status:0\n") {
					t.Error(line)
				}
				return
			}
		}
	}
	wantReady := func() {
		t.Helper()
		if line, err := out.ReadString('\n'); line != "ready\n" {
			t.Fatal(line, err)
		}
	}
	wantReady()
	ctx, cancel := context.WithCancel(t.Context())
	answers := askOn(ctx, t, path)
	defer answers()
	defer cancel()
	const restarts = 3
	for range restarts {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		wantReady()
		wantEnd()
	}
	cancel()
	if n := answers(); n < restarts {
		t.Errorf("%d answers are no load", n)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("a worker has taken the path away: %v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, complaints)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// askOn asks the server on a UNIX socket until ctx ends, by connections that are
// kept and by new ones. answers waits for that and tells how many came.
func askOn(ctx context.Context, t *testing.T, path string) (answers func() int64) {
	var count atomic.Int64
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			pool := &http.Transport{DisableKeepAlives: i%2 == 0, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", path)
			}}
			defer pool.CloseIdleConnections()
			for ctx.Err() == nil {
				if err := fetch(pool, "http://x/"); err != nil {
					t.Error(err)
				}
				count.Add(1)
			}
		})
	}
	return func() int64 {
		clients.Wait()
		return count.Load()
	}
}
