// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/claim"
	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/start"
)

// fakeSystem is an operating system in which only the test makes things happen.
type fakeSystem struct {
	clock  time.Duration
	ends   []int // children that have ended, in the order in which waitid finds them
	status map[int]syscall.WaitStatus
	did    []string // kills and reaps, in order
	refuse error    // what kill(2) says
	killed func()   // what follows from a kill; nil: nothing
}

func (f *fakeSystem) now() time.Duration { return f.clock }
func (f *fakeSystem) start(process) (int, *start.Report, error) {
	return 0, nil, errors.New("the test answers")
}

func (f *fakeSystem) open(string) (*os.File, error) { return os.Open(os.DevNull) }

func (f *fakeSystem) kill(pid int, sig syscall.Signal, group bool) error {
	who := "pid"
	if group {
		who = "group"
	}
	f.did = append(f.did, fmt.Sprintf("kill %s %d %d", who, pid, sig))
	if f.killed != nil {
		f.killed()
	}
	return f.refuse
}

func (f *fakeSystem) ended() int {
	if len(f.ends) == 0 {
		return 0
	}
	return f.ends[0]
}

func (f *fakeSystem) hasEnded(pid int) bool { return slices.Contains(f.ends, pid) }

func (f *fakeSystem) reap(pid int) syscall.WaitStatus {
	f.ends = slices.DeleteFunc(f.ends, func(p int) bool { return p == pid })
	f.did = append(f.did, fmt.Sprintf("reap %d", pid))
	return f.status[pid]
}

// end lets a child end with an exit status.
func (f *fakeSystem) end(pid, code int) {
	f.ends = append(f.ends, pid)
	f.status[pid] = syscall.WaitStatus(code << 8)
}

// testKeeper is a keeper in the hands of a test: it takes the place of the loop, of
// the spawning thread, and of the master at the other end of the link.
type testKeeper struct {
	*keeper
	t      *testing.T
	sys    *fakeSystem
	theirs *link.Conn // the master's end
	pids   int
	took   []any // steps, which hang as long as somebody has their pipes
}

func newTestKeeper(t *testing.T) *testKeeper {
	t.Helper()
	dir := t.TempDir()
	sys := &fakeSystem{clock: time.Second, status: map[int]syscall.WaitStatus{}}
	cfg := &config.Config{Program: []string{"p"}, KillTimeout: 10 * time.Second, SocketPath: filepath.Join(dir, "s")}
	k := &keeper{
		cfg: cfg, sys: sys, log: slog.New(slog.NewTextHandler(io.Discard, nil)), setLevel: func(slog.Level) {},
		table: newTable(), caught: map[syscall.Signal]*caughtSignal{},
		spawner: spawner{jobs: make(chan job), answers: make(chan answer)},
		steps:   make(chan stepped), opened: make(chan opened),
		binary:   "/usr/bin/einhyrningsins",
		contract: childenv.Contract{Dialects: childenv.Dialects{Einhorn: true}},
		looks: looks{
			launches: map[int]*start.Launch{1: {Launch: link.Launch{Generation: 1, Program: "/p"}, Held: &start.Program{}}}, newest: 1,
			at: &link.LookAt{Program: [][]byte{[]byte("p")}}, limit: lookLimit,
		},
	}
	k.hello = link.Hello{Version: link.Version}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	k.devNull = null
	control, _, err := claim.Lock(cfg.SocketPath, "")
	if err == nil {
		err = control.Open(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	k.control = control
	t.Cleanup(func() {
		control.Close()
		null.Close()
	})
	return &testKeeper{keeper: k, t: t, sys: sys, pids: 100}
}

// runMaster starts a master, unless the keeper has begun to, and takes its hello up to Begin.
func (k *testKeeper) runMaster() (link.Hello, []link.Child) {
	k.t.Helper()
	if !k.master.starting {
		k.master.restartAt = 0
		k.startMaster()
	}
	dup, err := unix.Dup(int(k.master.theirs.Fd()))
	if err != nil {
		k.t.Fatal(err)
	}
	conn, err := link.New(os.NewFile(uintptr(dup), "theirs"))
	if err != nil {
		k.t.Fatal(err)
	}
	k.theirs = conn
	k.t.Cleanup(conn.Close)
	k.answerJob(nil)
	k.tell()
	var hello link.Hello
	var children []link.Child
	for {
		in := k.receive()
		for _, fd := range in.FDs {
			unix.Close(fd)
		}
		switch m := in.Msg.(type) {
		case *link.Hello:
			hello = *m
		case *link.Child:
			children = append(children, *m)
		case *link.Begin:
			return hello, children
		}
	}
}

// live runs a master that goes live.
func (k *testKeeper) live() {
	k.t.Helper()
	k.runMaster()
	k.send(&link.Live{})
	if in := k.receive(); !isLead(in.Msg) {
		k.t.Fatalf("after Live the keeper says %T, want Lead", in.Msg)
	}
}

func isLead(m link.Message) bool {
	_, ok := m.(*link.Lead)
	return ok
}

// masterDies ends the master: its link first, then the process.
func (k *testKeeper) masterDies() {
	k.t.Helper()
	k.masterEndsAs(1 << 8)
}

func (k *testKeeper) masterEndsAs(status syscall.WaitStatus) {
	k.t.Helper()
	k.theirs.Close()
	for k.master.conn != nil {
		select {
		case in, open := <-k.master.in():
			if open {
				k.order(in)
			} else {
				k.masterClosed()
			}
		case <-time.After(10 * time.Second):
			k.t.Fatal("the link does not end")
		}
	}
	k.sys.ends = append(k.sys.ends, k.master.pid)
	k.sys.status[k.master.pid] = status
	k.reap()
}

// send lets the master say something, and the keeper hear it.
func (k *testKeeper) send(messages ...link.Message) {
	k.t.Helper()
	for _, m := range messages {
		k.theirs.Send(m)
		k.order(<-k.master.in())
	}
}

// receive takes what the keeper tells next.
func (k *testKeeper) receive() link.Received {
	k.t.Helper()
	select {
	case in, open := <-k.theirs.In():
		if !open {
			k.t.Fatal("the keeper closed the link")
		}
		return in
	case <-time.After(10 * time.Second):
		k.t.Fatal("the keeper says nothing")
	}
	panic("unreachable")
}

// told takes everything that the keeper has to tell now, as text.
func (k *testKeeper) told() (list []string) {
	k.t.Helper()
	k.tell()
	for !k.theirs.Idle() {
		select {
		case in := <-k.theirs.In():
			for _, fd := range in.FDs {
				unix.Close(fd)
			}
			b, _ := json.Marshal(in.Msg)
			list = append(list, fmt.Sprintf("%T %s", in.Msg, b)[len("*link."):])
		case <-k.theirs.Parked():
		}
	}
	return list
}

// begin hands the next job over; the process that it starts exists from now
// on, and nobody knows its pid.
func (k *testKeeper) begin() (j job, pid int) {
	k.t.Helper()
	jobs, j := k.spawner.next()
	if jobs == nil {
		k.t.Fatal("there is no job to do")
	}
	k.spawner.handedOver()
	k.pids++
	return j, k.pids
}

// answerJob does the next job at once.
func (k *testKeeper) answerJob(err error) int {
	k.t.Helper()
	j, pid := k.begin()
	k.finishJob(j, pid, err)
	return pid
}

func (k *testKeeper) finishJob(j job, pid int, err error) {
	if err != nil {
		pid = 0
	}
	k.answered(answer{job: j, pid: pid, at: k.sys.clock, err: err})
	k.reap()
}

// spawnWorker spawns one worker and lets the master hear of it.
func (k *testKeeper) spawnWorker() (serial uint64, pid int) {
	k.t.Helper()
	serial = k.table.next
	k.send(&link.Spawn{Serial: serial, Generation: 1, Index: int(serial) - 1})
	pid = k.answerJob(nil)
	k.told()
	return serial, pid
}

// commands tells whether a task runs for a worker: in these tests all but the master.
func (k *testKeeper) commands() bool {
	return slices.ContainsFunc(k.tasks, func(t *task) bool { return t != k.master.task })
}

// former are the masters that were dismissed and have not ended.
func (k *testKeeper) former() (pids []int) {
	for _, t := range k.tasks {
		if t.pid != 0 && t.ended == nil {
			pids = append(pids, t.pid)
		}
	}
	return pids
}
