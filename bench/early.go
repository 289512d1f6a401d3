// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// playIgnoring ignores INT and becomes the program in its arguments, as a shell
// starts what runs in the background.
const playIgnoring = "ignoring"

// Signals come within earliest of exec; what has not shown any effect after
// lostAfter is lost.
const (
	earliest  = 20 * time.Millisecond
	lostAfter = 3 * time.Second
)

// earlyCase is a signal that comes right after the start.
type earlyCase struct {
	name    string
	sig     syscall.Signal
	ignored bool // INT was when the daemon was started
	stops   bool // it ends the daemon; others must not
}

var earlyCases = []earlyCase{
	{name: "HUP", sig: syscall.SIGHUP},
	{name: "USR2", sig: syscall.SIGUSR2, stops: true},
	{name: "QUIT", sig: syscall.SIGQUIT, stops: true},
	{name: "INT", sig: syscall.SIGINT, stops: true},
	{name: "INT, ignored before", sig: syscall.SIGINT, ignored: true, stops: true},
	{name: "TERM", sig: syscall.SIGTERM, stops: true},
	{name: "USR1", sig: syscall.SIGUSR1},
}

// What may become of a signal. The first is what is asked for, the second what
// any program does that has not come to its first instructions.
const (
	obeyed = "obeyed"
	killed = "killed by it"
	// Nothing has happened. For HUP that is right as long as there is nothing to
	// upgrade.
	lost = "without effect"
)

// early sends signals to daemons that have just begun.
func early(ctx context.Context, e *env, r *row) error {
	n := e.scaled(200, 20)
	for _, c := range earlyCases {
		came := map[string][]time.Duration{}
		for range n {
			wait := rand.N(earliest)
			what, err := c.once(ctx, e, wait)
			if err != nil {
				return fmt.Errorf("%s after %v: %w", c.name, wait, err)
			}
			came[what] = append(came[what], wait)
		}
		r.info(c.name+": "+obeyed, float64(len(came[obeyed])), fmt.Sprintf("of %d", n), others(came))
	}
	r.how("n=%d of each, at random within %v of the moment when execve(2) has succeeded, to -n 1 --ack-mode 0 with a pid", n, earliest)
	r.how("file and a socket with a path. Obeyed: HUP upgrades, USR1 ends nothing, the others end it with status 0. Without")
	r.how("effect: nothing shows after %v. The longest time after which it was otherwise stands behind it.", lostAfter)
	return nil
}

// others lists what else became of signals, and until when.
func others(came map[string][]time.Duration) string {
	var list []string
	for what, after := range came {
		if what != obeyed {
			list = append(list, fmt.Sprintf("%d %s (up to %s ms)", len(after), what, number(ms(slices.Max(after)))))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// once starts a daemon, sends it the signal, and says what became of it.
func (c earlyCase) once(ctx context.Context, e *env, wait time.Duration) (string, error) {
	pidFile, socket := filepath.Join(e.dir, "early.pid"), filepath.Join(e.dir, "early.socket")
	d, err := e.earlyDaemon(c.ignored, "-n", "1", "--ack-mode", "0", "-q", "--pidfile", pidFile, "-b", "unix:"+socket, "--", "sleep", "1000000")
	if err != nil {
		return "", err
	}
	defer func() {
		_ = e.endAll()
		for _, left := range []string{pidFile, socket, d.sock} {
			os.Remove(left)
		}
	}()
	// Sleeping is too coarse.
	for time.Since(d.begun) < wait {
	}
	if err := d.cmd.Process.Signal(c.sig); err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeout(ctx, lostAfter)
	defer cancel()
	if !c.stops {
		err = d.outlives(limited, c.sig == syscall.SIGHUP)
	} else {
		err = d.wait(limited)
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case !d.ended() && err != nil:
		return lost, nil
	case !d.ended():
		return obeyed, nil
	}
	return c.ending(d, pidFile, socket), nil
}

// ending says how a daemon has ended.
func (c earlyCase) ending(d *daemon, paths ...string) string {
	state := d.cmd.ProcessState
	status := state.Sys().(syscall.WaitStatus)
	what := state.String()
	switch {
	case status.Signaled() && status.Signal() == c.sig:
		what = killed
	case c.stops && state.Success():
		what = obeyed
	}
	for _, path := range append(paths, d.sock) {
		if _, err := os.Lstat(path); err == nil {
			what += " with " + filepath.Base(path) + " left behind"
		}
	}
	return what
}

// outlives waits until the only worker is there, or that of an upgrade.
func (d *daemon) outlives(ctx context.Context, upgraded bool) error {
	for {
		if err := d.ready(ctx, 1); err != nil {
			return err
		}
		st, err := d.client.Status(ctx)
		if err == nil && (!upgraded || st.Generation > 1) {
			d.disconnect()
			return nil
		}
		if err := d.pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// wait waits for the daemon's end.
func (d *daemon) wait(ctx context.Context) error {
	select {
	case <-d.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// earlyDaemon starts a daemon that begins when execve(2) succeeds.
func (e *env) earlyDaemon(ignoring bool, args ...string) (*daemon, error) {
	d := &daemon{sock: filepath.Join(e.dir, "early.sock")}
	cmd := exec.Command(e.bin(daemonBin), append([]string{"-d", d.sock}, args...)...)
	executed, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer executed.Close()
	defer theirs.Close()
	if ignoring {
		cmd = exec.Command(self(), cmd.Args...)
		cmd.Env, cmd.ExtraFiles = append(os.Environ(), playVar+"="+playIgnoring), []*os.File{theirs}
	}
	if d.process, err = e.begin(daemonBin, cmd); err != nil {
		return nil, err
	}
	e.running = append(e.running, d)
	theirs.Close()
	_, _ = executed.Read(make([]byte, 1)) // its end
	d.begun = time.Now()
	return d, nil
}

// ignoring becomes another program, with INT ignored. Its end of a pipe closes
// at that very moment.
func ignoring() error {
	unix.CloseOnExec(3)
	signal.Ignore(syscall.SIGINT)
	os.Unsetenv(playVar)
	return syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
}
