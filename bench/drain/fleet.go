// SPDX-License-Identifier: GPL-3.0-or-later

package main

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

	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/wire"
)

// ackTimeout is how long a worker may take to start.
const ackTimeout = 30 * time.Second

// fleet is a shared socket and the worker processes on it.
type fleet struct {
	role    string
	dir     string
	tcp     *net.TCPListener
	socket  *os.File // what the workers inherit
	control net.Listener
	acks    chan int

	live     []*exec.Cmd // oldest first
	draining int
	drained  chan error
}

func newFleet(role string) (_ *fleet, err error) {
	f := &fleet{role: role, acks: make(chan int, 64), drained: make(chan error, 1024)}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.dir, err = os.MkdirTemp("", "drain"); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.tcp = ln.(*net.TCPListener)
	if f.socket, err = f.tcp.File(); err != nil {
		return nil, err
	}
	if f.control, err = net.Listen("unix", f.sockPath()); err != nil {
		return nil, err
	}
	go f.hearAcks()
	return f, nil
}

func (f *fleet) addr() string     { return f.tcp.Addr().String() }
func (f *fleet) sockPath() string { return filepath.Join(f.dir, "control.sock") }

// hearAcks plays the manager's control socket until that is closed.
func (f *fleet) hearAcks() {
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

// grow starts n workers and waits until each is ready.
func (f *fleet) grow(n int) error {
	for range n {
		if err := f.start(); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	contract := childenv.Contract{Sockets: 1, SockPath: f.sockPath(), MasterPID: os.Getpid()}
	cmd.Env = append(contract.Base(os.Environ(), nil), roleVar+"="+f.role)
	cmd.ExtraFiles = []*os.File{f.socket}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start a worker: %w", err)
	}
	f.live = append(f.live, cmd)
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

// replaceOldest starts a worker and, when it is ready, asks the oldest to
// stop. It does not wait for that one's drain.
func (f *fleet) replaceOldest() error {
	if err := f.start(); err != nil {
		return err
	}
	oldest := f.live[0]
	f.live = f.live[1:]
	if err := oldest.Process.Signal(syscall.SIGUSR2); err != nil {
		return fmt.Errorf("cannot stop worker %d: %w", oldest.Process.Pid, err)
	}
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

// waitDrained waits until all workers that were asked to stop have ended.
func (f *fleet) waitDrained() (err error) {
	for ; f.draining > 0; f.draining-- {
		err = errors.Join(err, <-f.drained)
	}
	return err
}

// close ends all that is left of the fleet.
func (f *fleet) close() {
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
