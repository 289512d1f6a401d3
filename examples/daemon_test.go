// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"einhyrningsins/client"
)

// daemonBinary is built by TestMain.
var daemonBinary string

// markVariable marks all that descends from a daemon, however it detaches.
const markVariable = "EINHYRNINGSINS_EXAMPLES_MARK"

// daemon is a keeper with its master and workers.
type daemon struct {
	t      *testing.T
	cmd    *exec.Cmd
	gone   chan struct{} // closed when it has ended and was reaped
	log    string
	mark   string
	addr   string // of the first socket; set by waitReady
	client *client.Client
}

func startDaemon(ctx context.Context, t *testing.T, s server) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "server") // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, gone: make(chan struct{}), log: filepath.Join(dir, "log"), mark: markVariable + "=" + dir}
	log, err := os.Create(d.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	sock := filepath.Join(dir, "sock")
	args := append([]string{"-v", "-n", "3", "-b", s.bind, "-d", sock}, s.options...)
	d.cmd = exec.Command(daemonBinary, append(append(args, "--"), s.program...)...)
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = s.dir, log, log
	d.cmd.Env = slices.Concat(os.Environ(), s.environ, []string{d.mark})
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.cmd.Wait()
		close(d.gone)
	}()
	t.Cleanup(func() { d.cleanUp(dir) })
	d.eventually(ctx, "the control socket", func() (bool, string) {
		d.client, err = client.Dial(ctx, sock)
		return err == nil, fmt.Sprint(err)
	})
	return d
}

// waitReady waits until there are n workers, all ready, and no others.
func (d *daemon) waitReady(ctx context.Context, n int) {
	d.t.Helper()
	d.waitWorkers(ctx, n, 0)
}

// waitWorkers waits until there are just so many workers that are ready, and so
// many that drain.
func (d *daemon) waitWorkers(ctx context.Context, ready, draining int) {
	d.t.Helper()
	d.eventually(ctx, fmt.Sprintf("%d ready workers, and %d that drain", ready, draining), func() (bool, string) {
		st, err := d.client.Status(ctx)
		if err != nil {
			return false, err.Error()
		}
		d.addr = st.Sockets[0].Address
		states := make(map[string]int)
		for _, w := range st.Workers {
			states[w.State]++
		}
		fit := states["ready"] == ready && states["draining"] == draining && len(st.Workers) == ready+draining
		return fit, fmt.Sprintf("%+v", st.Workers)
	})
}

// stop asks it to end, as gracefully as it can, and wants it to leave nothing.
func (d *daemon) stop() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	select {
	case <-d.gone:
	case <-ctx.Done():
		d.t.Fatalf("the daemon did not end: %s", d.lastWords())
	}
	if status := d.cmd.ProcessState.ExitCode(); status != 0 {
		d.t.Errorf("the daemon ended with status %d: %s", status, d.lastWords())
	}
	d.eventually(ctx, "nothing left", func() (bool, string) {
		left := d.marked()
		return len(left) == 0, fmt.Sprintf("processes %v", left)
	})
}

// cleanUp ends what a failed test has left.
func (d *daemon) cleanUp(dir string) {
	if d.client != nil {
		d.client.Close()
	}
	d.cmd.Process.Kill()
	<-d.gone
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for range 1000 {
		for _, pid := range d.marked() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(d.marked()) == 0 {
			break
		}
		<-look.C
	}
	if d.t.Failed() {
		d.t.Logf("log of the daemon: %s", d.lastWords())
	}
	os.RemoveAll(dir)
}

// eventually waits until a state holds, the daemon has ended, or ctx has.
func (d *daemon) eventually(ctx context.Context, what string, holds func() (bool, string)) {
	d.t.Helper()
	for {
		ok, seen := holds()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			d.t.Fatalf("waited for %s, and saw %s", what, seen)
		case <-time.After(5 * time.Millisecond):
		}
		if d.client == nil && d.ended() {
			d.t.Fatalf("waited for %s, but the daemon has ended: %s", what, d.lastWords())
		}
	}
}

func (d *daemon) ended() bool {
	select {
	case <-d.gone:
		return true
	default:
		return false
	}
}

// marked lists the processes that descend from the daemon, itself included.
func (d *daemon) marked() (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil || !slices.ContainsFunc(bytes.Split(environ, []byte{0}), func(v []byte) bool { return string(v) == d.mark }) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (d *daemon) lastWords() string {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-6000):])
}
