// SPDX-License-Identifier: MIT

package worker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// startAcked starts a worker process and waits for its ACK.
func startAcked(t *testing.T, sockPath string, acks <-chan int, socket *os.File) *exec.Cmd {
	t.Helper()
	cmd := start(t, "serve", sockPath, socket)
	run(t, cmd)
	if pid := <-acks; pid != cmd.Process.Pid {
		t.Fatalf("ACK from %d, want %d", pid, cmd.Process.Pid)
	}
	return cmd
}

func TestWorkerProcess(t *testing.T) {
	path, acks := master(t)
	ln := listen(t)
	cmd := startAcked(t, path, acks, file(t, ln))
	c := dial(t, ln.Addr())
	if body, _ := c.ask(); body != fmt.Sprint(cmd.Process.Pid) {
		t.Errorf("answer %q, want from %d", body, cmd.Process.Pid)
	}
	for _, sig := range []os.Signal{syscall.SIGUSR2, syscall.SIGTERM} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("want a clean exit, got %v", err)
	}
}

// TestNothingIsLostInRestarts replaces worker processes that share a socket,
// under load on kept and on new connections.
func TestNothingIsLostInRestarts(t *testing.T) {
	path, acks := master(t)
	ln := listen(t)
	socket := file(t, ln)
	old := startAcked(t, path, acks, socket)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var answers, lost atomic.Int64
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			// net/http repeats a request on a kept connection that was closed
			// before the first byte, and no other.
			pool := &http.Transport{DisableKeepAlives: i%2 == 0}
			defer pool.CloseIdleConnections()
			for ctx.Err() == nil {
				if err := fetch(pool, "http://"+ln.Addr().String()); err != nil {
					lost.Add(1)
					t.Error(err)
				}
				answers.Add(1)
			}
		})
	}
	const restarts = 8
	for range restarts {
		next := startAcked(t, path, acks, socket)
		if err := old.Process.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		if err := old.Wait(); err != nil {
			t.Errorf("want a clean exit, got %v", err)
		}
		old = next
	}
	cancel()
	clients.Wait()
	if lost.Load() != 0 || answers.Load() < restarts {
		t.Errorf("%d of %d requests lost in %d restarts", lost.Load(), answers.Load(), restarts)
	}
	if err := old.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := old.Wait(); err != nil {
		t.Errorf("want a clean exit after TERM, got %v", err)
	}
}

func fetch(pool *http.Transport, url string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := pool.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}

func TestContextEndsBySignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT} {
		cmd := start(t, "context", "/nowhere")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		run(t, cmd)
		in := bufio.NewReader(out)
		if line, err := in.ReadString('\n'); line != "ready\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(in); string(rest) != "stopped\n" {
			t.Errorf("%v: got %q, %v", sig, rest, err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: want a clean exit, got %v", sig, err)
		}
	}
}

func TestServeWithoutASocket(t *testing.T) {
	cmd := start(t, "serve", "/nowhere")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || !strings.Contains(stderr.String(), "passes no socket that takes connections; give it one with -b") {
		t.Errorf("want it to say what is missing, got %v, %q", err, stderr.String())
	}
}

// TestListenersAreTakenOnce is of a process of its own, as what is taken over
// stays taken.
func TestListenersAreTakenOnce(t *testing.T) {
	if os.Getenv("WORKER_TEST_ONCE") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestListenersAreTakenOnce$", "-test.count=1")
		cmd.Env = append(os.Environ(), "WORKER_TEST_ONCE=1", "GORACE=atexit_sleep_ms=0", "EINHORN_FD_COUNT=1", "EINHORN_FD_0=3")
		cmd.ExtraFiles = []*os.File{file(t, listen(t))}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	var first net.Listener
	for i := range 3 {
		got, err := Listener(0)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = got
		}
		if got != first {
			t.Errorf("call %d: another listener", i)
		}
	}
	if _, err := Listener(1); err == nil || !strings.Contains(err.Error(), "the manager passes 1") {
		t.Errorf("got %v", err)
	}
}
