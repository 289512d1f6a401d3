// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"einhyrningsins/client"
)

// daemon is one running keeper with its master and workers.
type daemon struct {
	*process
	sock   string
	addr   string // of the first socket; set by ready
	client *client.Client
}

// process is a child of ours whose end is waited for.
type process struct {
	cmd   *exec.Cmd
	log   string
	begun time.Time
	gone  chan struct{} // closed when it has ended and was reaped
	err   error         // of the end; valid once gone is closed
}

// endPatience is how long a process may take to end after TERM.
const endPatience = 15 * time.Second

// launch starts a program with its output in a file of its own.
func (e *env) launch(name string, environ []string, command ...string) (*process, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), environ...)
	return e.begin(name, cmd)
}

// begin is launch for a command that has more to it.
func (e *env) begin(name string, cmd *exec.Cmd) (*process, error) {
	e.count++
	p := &process{cmd: cmd, log: filepath.Join(e.dir, fmt.Sprintf("%d-%s.log", e.count, name)), gone: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) ended() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// end asks the process to end by TERM. One that does not is killed together
// with its children, whose pids are read before they lose their parent.
func (p *process) end() error {
	if p.ended() {
		return nil
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.gone:
		return nil
	case <-time.After(endPatience):
	}
	children, _ := childrenOf(p.pid())
	p.cmd.Process.Kill()
	for _, pid := range children {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.gone
	return fmt.Errorf("process %d did not end within %v of TERM: %s", p.pid(), endPatience, p.lastWords())
}

// lastWords is the end of the process's log.
func (p *process) lastWords() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-2000):])
}

// daemon starts a daemon. options come before, program after the --.
func (e *env) daemon(options []string, program ...string) (*daemon, error) {
	sock := filepath.Join(e.dir, fmt.Sprintf("%d.sock", e.count+1))
	command := append([]string{e.bin(daemonBin), "-d", sock}, options...)
	p, err := e.launch(daemonBin, nil, append(append(command, "--"), program...)...)
	if err != nil {
		return nil, err
	}
	d := &daemon{process: p, sock: sock}
	e.running = append(e.running, d)
	return d, nil
}

// fourWorkers starts the daemon that most measurements are about, with four
// Go workers that ACK, and waits until they are ready.
func (e *env) fourWorkers(ctx context.Context, boot time.Duration) (*daemon, error) {
	d, err := e.daemon([]string{"-n", "4", "-m", "-b", "127.0.0.1:0,r"}, e.bin(goHTTPBin), "-boot", boot.String())
	if err != nil {
		return nil, err
	}
	return d, d.ready(ctx, 4)
}

// ready waits until n workers, and no others, are there and ready.
func (d *daemon) ready(ctx context.Context, n int) error {
	for {
		if err := d.connect(ctx); err != nil {
			return err
		}
		st, err := d.client.Status(ctx)
		if err != nil && !errors.Is(err, client.ErrLost) && !errors.Is(err, client.ErrNoMaster) {
			return err
		}
		if err == nil && len(st.Workers) == n && readyIn(st) == n {
			if len(st.Sockets) > 0 {
				d.addr = st.Sockets[0].Address
			}
			return nil
		}
		if err := d.pause(ctx, 2*time.Millisecond); err != nil {
			return fmt.Errorf("cannot wait for %d ready workers: %w", n, err)
		}
	}
}

// connect waits until the control socket is there.
func (d *daemon) connect(ctx context.Context) (err error) {
	for d.client == nil {
		if d.client, err = client.Dial(ctx, d.sock); err == nil {
			break
		}
		d.client = nil
		if pauseErr := d.pause(ctx, time.Millisecond); pauseErr != nil {
			return errors.Join(err, pauseErr)
		}
	}
	return nil
}

// pause waits for a moment, or fails when the daemon or ctx ends meanwhile.
func (d *daemon) pause(ctx context.Context, t time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.gone:
		return fmt.Errorf("the daemon has ended (%v): %s", d.err, d.lastWords())
	case <-time.After(t):
		return nil
	}
}

func (d *daemon) end() error {
	if d.client != nil {
		d.client.Close()
	}
	return d.process.end()
}

// disconnect leaves the daemon without a client.
func (d *daemon) disconnect() {
	d.client.Close()
	d.client = nil
}

func readyIn(st *client.Status) (n int) {
	for _, w := range st.Workers {
		if w.State == "ready" {
			n++
		}
	}
	return n
}
