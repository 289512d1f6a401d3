// SPDX-License-Identifier: GPL-3.0-or-later

// Package fleet runs worker processes on a shared socket as a manager would,
// only simpler: it passes the socket and the environment, hears their ACKs, and
// replaces one worker after the other. It is for measuring and testing workers
// themselves.
package fleet

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/wire"
)

// ackTimeout is how long a worker may take to start.
const ackTimeout = 30 * time.Second

// Fleet is a shared socket and the worker processes on it. Its methods are not
// safe for concurrent use.
type Fleet struct {
	command []string
	env     []string
	dir     string
	tcp     *net.TCPListener
	socket  *os.File // what the workers inherit
	control net.Listener
	acks    chan int

	started  int
	live     []*exec.Cmd // oldest first
	stopped  []*exec.Cmd // asked to stop, some of them gone by now
	draining int         // how many of those WaitDrained has not seen yet
	drained  chan error
}

// New binds a socket and a control socket. Workers will be started with the
// program and arguments of command, and with env (as in os.Environ) beside the
// variables of the contract.
func New(command, env []string) (_ *Fleet, err error) {
	f := &Fleet{command: command, env: env, acks: make(chan int, 64), drained: make(chan error, 1024)}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if f.dir, err = os.MkdirTemp("", "fleet"); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.tcp = ln.(*net.TCPListener)
	if f.socket, err = share(f.tcp); err != nil {
		return nil, err
	}
	if f.control, err = net.Listen("unix", f.sockPath()); err != nil {
		return nil, err
	}
	go f.hearAcks()
	return f, nil
}

// share makes the file that workers inherit. One of ln.File would become
// blocking each time that os/exec passes it on, and with it the socket of all
// workers that run: a single-threaded one would wait in accept(2) for a
// connection that another has just taken, and answer nobody meanwhile.
func share(ln *net.TCPListener) (f *os.File, err error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil, err
	}
	dup := -1
	if cerr := raw.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(dup), "shared socket"), nil
}

// Addr is the address of the socket, as host:port.
func (f *Fleet) Addr() string { return f.tcp.Addr().String() }

func (f *Fleet) sockPath() string { return filepath.Join(f.dir, "control.sock") }

// hearAcks plays the manager's control socket until that is closed.
func (f *Fleet) hearAcks() {
	for {
		nc, err := f.control.Accept()
		if err != nil {
			return
		}
		nc.SetDeadline(time.Now().Add(ackTimeout))
		line, err := bufio.NewReader(nc).ReadBytes('\n')
		if err == nil {
			if r, err := wire.ParseRequest(line); err == nil && r.Command == wire.WorkerAck {
				f.acks <- r.PID
			}
			nc.Write(wire.Encode("Acknowledged!"))
		}
		nc.Close()
	}
}

// Grow starts n workers and waits until each is ready.
func (f *Fleet) Grow(n int) error {
	for range n {
		if err := f.start(); err != nil {
			return err
		}
	}
	return nil
}

// Swap starts n workers at once and, as each is ready, asks the oldest to stop; or
// with together all of them when the last is ready. It does not wait for drains.
func (f *Fleet) Swap(n int, together bool) error {
	for range n {
		if _, err := f.exec(); err != nil {
			return err
		}
	}
	for i := range n {
		select {
		case <-f.acks:
		case <-time.After(ackTimeout):
			return fmt.Errorf("cannot start workers: no ACK within %v", ackTimeout)
		}
		stop := 1
		if together && i < n-1 {
			stop = 0
		} else if together {
			stop = n
		}
		for range stop {
			if err := f.StopOldest(syscall.SIGUSR2); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *Fleet) start() error {
	cmd, err := f.exec()
	if err != nil {
		return err
	}
	select {
	case pid := <-f.acks:
		if pid != cmd.Process.Pid {
			return fmt.Errorf("cannot start worker %d: an ACK came from %d", cmd.Process.Pid, pid)
		}
		return nil
	case <-time.After(ackTimeout):
		return fmt.Errorf("cannot start worker %d: no ACK within %v", cmd.Process.Pid, ackTimeout)
	}
}

func (f *Fleet) exec() (*exec.Cmd, error) {
	cmd := exec.Command(f.command[0], f.command[1:]...)
	contract := childenv.Contract{
		Dialects: childenv.Dialects{Einhorn: true}, Sockets: make([]childenv.Socket, 1), SockPath: f.sockPath(), MasterPID: os.Getpid(),
	}
	cmd.Env = contract.WithIndex(contract.Base(f.env, 1), f.started)
	cmd.ExtraFiles = []*os.File{f.socket}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start a worker: %w", err)
	}
	f.started++
	f.live = append(f.live, cmd)
	return cmd, nil
}

// ReplaceOldest starts a worker and, when it is ready, asks the oldest to stop
// by the graceful signal. It does not wait for that one's drain.
func (f *Fleet) ReplaceOldest() error {
	if err := f.start(); err != nil {
		return err
	}
	return f.StopOldest(syscall.SIGUSR2)
}

// StopOldest asks the oldest worker to stop by the signal sig, and does not
// wait for its drain.
func (f *Fleet) StopOldest(sig os.Signal) error {
	oldest := f.live[0]
	f.live = f.live[1:]
	if err := oldest.Process.Signal(sig); err != nil {
		return fmt.Errorf("cannot stop worker %d: %w", oldest.Process.Pid, err)
	}
	f.stopped = append(f.stopped, oldest)
	f.draining++
	go func() {
		err := oldest.Wait()
		if err != nil {
			err = fmt.Errorf("worker %d did not end well: %w", oldest.Process.Pid, err)
		}
		f.drained <- err
	}()
	return nil
}

// WaitDrained waits until all workers that were asked to stop have ended. The
// error tells of those that did not exit with status 0.
func (f *Fleet) WaitDrained() (err error) {
	for ; f.draining > 0; f.draining-- {
		err = errors.Join(err, <-f.drained)
	}
	return err
}

// Close ends all that is left of the fleet: at once, without a drain.
func (f *Fleet) Close() {
	for _, cmd := range f.stopped {
		cmd.Process.Kill() // does nothing to one that is gone
	}
	f.WaitDrained()
	for _, cmd := range f.live {
		cmd.Process.Kill()
		cmd.Wait()
	}
	if f.control != nil {
		f.control.Close()
	}
	if f.socket != nil {
		f.socket.Close()
	}
	if f.tcp != nil {
		f.tcp.Close()
	}
	os.RemoveAll(f.dir)
}
