// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"einhyrningsins/internal/wire"
)

// fake is a master in the test's process: it keeps count of workers that are
// none, and fails and dies when told to.
type fake struct {
	path string

	mu        sync.Mutex
	ln        net.Listener
	conns     map[net.Conn]bool
	status    wire.Status
	dieAfter  int  // lines of an upgrade, then hang up; -1: never
	holdAfter int  // lines, then wait for release; -1: never
	abort     bool // the next upgrade
	noReload  bool // the next reload fails
	released  chan struct{}
	held      chan struct{} // gets a token when an upgrade waits
	commands  []string
	wg        sync.WaitGroup

	disordered []string // what a test's goroutines found wrong
}

func newFake(t testing.TB) *fake {
	t.Helper()
	dir, err := os.MkdirTemp("", "ein") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := &fake{
		path: filepath.Join(dir, "s"), dieAfter: -1, holdAfter: -1, conns: make(map[net.Conn]bool),
		released: make(chan struct{}), held: make(chan struct{}, 1),
		status: wire.Status{
			PID: 4711, MasterPID: 4712, Version: "1.2.3", KeeperVersion: "1.2.3", Program: []string{"server", "--port", "80"},
			StartedAt: start, Generation: 1, GoodGeneration: 1, Number: 2, AckMode: "manual",
			Sockets: []wire.Socket{{Spec: "0.0.0.0:80,r", Address: "0.0.0.0:80", FD: 3}},
			Upgrade: wire.UpgradeStatus{State: wire.UpgradeIdle},
		},
	}
	f.listen(t)
	t.Cleanup(func() {
		f.stop()
		os.RemoveAll(dir)
		for _, s := range f.disordered {
			t.Error(s)
		}
	})
	return f
}

func (f *fake) listen(t testing.TB) {
	ln, err := net.Listen("unix", f.path)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.ln = ln
	f.mu.Unlock()
	f.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns[nc] = true
			f.mu.Unlock()
			f.wg.Go(func() { f.serve(nc) })
		}
	})
}

// stop is the death of the keeper with all; hangUp that of a master.
func (f *fake) stop() {
	f.mu.Lock()
	f.ln.Close()
	f.mu.Unlock()
	f.hangUp()
	f.release()
	f.wg.Wait()
}

func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for nc := range f.conns {
		nc.Close()
	}
}

func (f *fake) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.released:
	default:
		close(f.released)
	}
}

// set changes what the fake does from now on.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.commands...)
}

func (f *fake) serve(nc net.Conn) {
	defer func() {
		nc.Close()
		f.mu.Lock()
		delete(f.conns, nc)
		f.mu.Unlock()
	}()
	in := bufio.NewReader(nc)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		if bytes.HasPrefix(line, []byte("---")) {
			if !f.serveEinhorn(nc, line) {
				return
			}
			continue
		}
		r, err := wire.ParseRequest(line)
		if err != nil {
			f.mu.Lock()
			f.disordered = append(f.disordered, fmt.Sprintf("request %q: %v", line, err))
			f.mu.Unlock()
			return
		}
		send := func(rep wire.Reply) {
			rep.RequestID = r.ID
			nc.Write(wire.Encode(rep))
		}
		if !f.answer(r, send) {
			return
		}
	}
}

func okay(format string, args ...any) wire.Reply {
	return wire.Reply{OK: true, Message: fmt.Sprintf(format, args...)}
}

func refused(code wire.Code, format string, args ...any) wire.Reply {
	return wire.Reply{Err: wire.Errorf(code, format, args...)}
}

func (f *fake) answer(r wire.Request, send func(wire.Reply)) bool {
	f.mu.Lock()
	line := r.Command
	for _, a := range r.Args {
		line += " " + a
	}
	if r.PID != 0 {
		line += fmt.Sprintf(" pid=%d %q", r.PID, r.RequestID)
	}
	f.commands = append(f.commands, line)
	f.mu.Unlock()
	switch r.Command {
	case wire.StatusCmd:
		f.mu.Lock()
		data, _ := json.Marshal(f.status)
		f.mu.Unlock()
		send(wire.Reply{OK: true, Data: data})
	case wire.Inc, wire.Dec, wire.SetWorkers:
		send(f.resize(r))
	case wire.Upgrade, wire.Follow:
		return f.upgrade(r, send)
	case wire.WorkerAck, wire.WorkerPing:
		send(okay(""))
	case wire.Reload:
		send(f.reload())
	case wire.Config:
		send(f.config(r))
	case wire.EventsCmd:
		send(f.events(r))
	case wire.Signal, wire.Die, wire.Ehlo, wire.Help, wire.Version, wire.Quieter, wire.Louder:
		send(okay("fake %s", line))
	default:
		send(refused(wire.UnknownCommand, "unknown command %q", r.Command))
	}
	return true
}

func (f *fake) reload() wire.Reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.noReload {
		f.noReload = false
		return refused(wire.ReloadFailed, "cannot reload: the new master exited with status 2; master 4712 stays")
	}
	f.status.MasterPID++
	f.status.Version = "1.3.0"
	return okay("reloaded: master %d of version 1.3.0", f.status.MasterPID)
}

// events knows two, and when it is waited for, refuses after the second.
func (f *fake) events(r wire.Request) wire.Reply {
	since, _ := strconv.ParseUint(r.Args[0], 10, 64)
	ev := wire.Events[wire.Event]{PID: 4711, First: 8, Last: 9}
	if since == ev.Last && len(r.Args) > 1 {
		return refused(wire.Stopping, "cannot wait: the fake is stopping")
	}
	for _, e := range someEvents() {
		if e.Number > since {
			ev.Events = append(ev.Events, e)
		}
	}
	rep := okay("events")
	rep.Data, _ = json.Marshal(ev)
	return rep
}

// config knows two settings, of which one can be changed.
func (f *fake) config(r wire.Request) wire.Reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	var st wire.Settings
	for _, a := range r.Args {
		key, value, _ := strings.Cut(a, "=")
		if n, err := strconv.Atoi(value); key == "number" && err == nil {
			st.Changed = append(st.Changed, wire.Change{Key: key, From: strconv.Itoa(f.status.Number), To: value})
			f.status.Number = n
			continue
		}
		st.Refused = append(st.Refused, wire.Refusal{Key: key, Value: value, Reason: "only a restart can"})
	}
	st.Settings = []wire.Setting{
		{Key: "number", Value: strconv.Itoa(f.status.Number), Changeable: true},
		{Key: "pidfile"},
		{Key: "socket_path", Value: f.path},
	}
	rep := okay("config")
	if len(st.Refused) > 0 {
		rep = refused(wire.Refused, "cannot set %s", st.Refused[0].Key)
	}
	rep.Data, _ = json.Marshal(st)
	return rep
}

func (f *fake) resize(r wire.Request) wire.Reply {
	n, err := strconv.Atoi(r.Args[0])
	if err != nil {
		return refused(wire.BadRequest, "cannot %s: not a number", r.Command)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.status.Number
	switch r.Command {
	case wire.Inc:
		n = was + n
	case wire.Dec:
		n = was - n
	}
	if n < 1 {
		return refused(wire.Refused, "cannot go below 1 worker from %d", was)
	}
	f.status.Number = n
	return okay("went from %d to %d workers", was, n)
}

// upgrade streams: the beginning, two workers that start and get ready, the
// outcome. After the death of a "master" follow begins with the rest.
func (f *fake) upgrade(r wire.Request, send func(wire.Reply)) bool {
	f.mu.Lock()
	if r.Command == wire.Upgrade {
		f.status.Generation++
		f.status.Upgrade = wire.UpgradeStatus{State: wire.UpgradeRunning, Generation: f.status.Generation, Number: 2}
	}
	gen := f.status.Generation
	f.mu.Unlock()
	lines := []wire.Reply{
		f.step(gen, 0, "", 0, "upgrading to generation %d", gen),
		f.step(gen, 0, "spawned", 101, "started worker 101"),
		f.step(gen, 1, "ready", 101, "worker 101 is ready"),
		f.step(gen, 1, "failed", 102, "worker 102 failed"),
		f.step(gen, 2, "ready", 103, "worker 103 is ready"),
	}
	for i, l := range lines {
		f.mu.Lock()
		die, hold := i == f.dieAfter, i == f.holdAfter
		if die {
			f.dieAfter = -1
		}
		if hold {
			f.holdAfter = -1
		}
		f.mu.Unlock()
		if die {
			return false
		}
		if hold {
			f.held <- struct{}{}
			<-f.released
		}
		send(l)
	}
	send(f.outcome(gen))
	return true
}

func (f *fake) step(gen, ready int, event string, pid int, format string, args ...any) wire.Reply {
	rep := okay(format, args...)
	rep.Wait = true
	rep.Data, _ = json.Marshal(wire.Progress{Generation: gen, State: wire.UpgradeRunning, Ready: ready, Number: 2, Event: event, PID: pid})
	return rep
}

func (f *fake) outcome(gen int) wire.Reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := wire.Progress{Generation: gen, State: wire.UpgradeDone, Ready: 2, Number: 2}
	rep := okay("upgraded to generation %d", gen)
	if f.abort {
		f.abort = false
		p.State = wire.UpgradeAborted
		rep = refused(wire.Aborted, "upgrade to generation %d aborted: worker 102 exited with status 3", gen)
	}
	f.status.Upgrade.State = p.State
	rep.Data, _ = json.Marshal(p)
	return rep
}
