// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/start"
)

// startSystem is an operating system that starts what it is told to.
type startSystem struct {
	fakeSystem
	err    error
	files  []uintptr
	theirs *os.File // a duplicate of the last file that the process got
}

func (s *startSystem) start(p process) (int, *start.Report, error) {
	s.files = p.files
	if s.err != nil {
		return 0, nil, s.err
	}
	fd, err := unix.Dup(int(p.files[len(p.files)-1]))
	s.theirs = os.NewFile(uintptr(fd), "theirs")
	return 42, nil, err
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

var onlyControl = []link.ChannelKind{link.ChannelControl}

func TestWorkerGetsItsOwnConnection(t *testing.T) {
	sys := &startSystem{}
	j := job{serial: 1, channels: channelPlan{Kinds: onlyControl}, process: process{files: []uintptr{0, 1, 2}}}
	a := answer{job: j}
	carryOut(sys, &a)
	ours, err := a.channels[0].FD, a.err
	if err != nil || a.pid != 42 || len(sys.files) != 4 || len(j.process.files) != 3 {
		t.Fatalf("got %d, %v; files %v of %v", a.pid, err, sys.files, j.process.files)
	}
	if isOpen(int(sys.files[3])) {
		t.Error("the keeper keeps the worker's end")
	}
	for fd, blocks := range map[int]bool{ours: false, int(sys.theirs.Fd()): true} {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK == 0 != blocks {
			t.Errorf("descriptor %d has flags %o, %v", fd, flags, err)
		}
	}
	if _, err := sys.theirs.WriteString("x"); err != nil {
		t.Error(err)
	}
	b := make([]byte, 2)
	if n, err := unix.Read(ours, b); n != 1 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	sys.theirs.Close()
	unix.Close(ours)

	sys.err = syscall.ENOENT
	a = answer{job: j}
	if carryOut(sys, &a); a.err != syscall.ENOENT || a.channels != nil || isOpen(int(sys.files[3])) {
		t.Errorf("after a failure: %v, %v, files %v", a.channels, a.err, sys.files)
	}
	a = answer{}
	if carryOut(&startSystem{err: errors.New("no")}, &a); a.err == nil || a.channels != nil {
		t.Error("a job without a connection got one")
	}
}

// withChannel spawns a worker that has its own connection; theirs is its end.
func (k *testKeeper) withChannel() (serial uint64, pid int, theirs *os.File) {
	k.t.Helper()
	k.cfg.SockFD = true
	serial = k.table.next
	k.send(&link.Spawn{Serial: serial, Generation: 1})
	j, pid := k.begin()
	if !slices.Equal(j.channels.Kinds, onlyControl) {
		k.t.Error("the job gives no connection")
	}
	ours, fd, err := ownConnection()
	if err != nil {
		k.t.Fatal(err)
	}
	theirs = os.NewFile(uintptr(fd), "theirs")
	k.t.Cleanup(func() { theirs.Close() })
	k.answered(answer{job: j, pid: pid, at: k.sys.clock, channels: channels{{Kind: link.ChannelControl, FD: ours}}})
	return serial, pid, theirs
}

func TestChannelComesBeforeSpawnedAndInEachHello(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	serial, pid, theirs := k.withChannel()
	k.tell()
	in := k.receive()
	if m, ok := in.Msg.(*link.Channel); !ok || m.Serial != serial || len(in.FDs) != 1 {
		t.Fatalf("got %T %+v with %d descriptors", in.Msg, in.Msg, len(in.FDs))
	}
	if _, ok := k.receive().Msg.(*link.Spawned); !ok {
		t.Error("spawned does not follow")
	}
	// What a master did not read is there for the next.
	if _, err := theirs.WriteString("ACK"); err != nil {
		t.Fatal(err)
	}
	unix.Close(in.FDs[0])
	k.masterDies()
	_, children := k.runMaster()
	if len(children) != 1 || !slices.Equal(children[0].Channels, onlyControl) {
		t.Fatalf("the next master is told %+v", children)
	}
	c := k.table.bySerial[serial]
	b := make([]byte, 4)
	if n, err := unix.Read(c.channels[0].FD, b); n != 3 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}

	// A worker that has ended has none; its end closes it.
	k.send(&link.Live{})
	k.sys.end(pid, 0)
	k.reap()
	k.masterDies()
	if _, children = k.runMaster(); len(children) != 1 || children[0].Channels != nil {
		t.Errorf("the next master is told %+v", children)
	}
	ours := c.channels[0].FD
	k.send(&link.Live{}, &link.Forget{Serial: serial})
	if isOpen(ours) {
		t.Error("the connection of a forgotten worker is still open")
	}
	if _, err := theirs.Read(b); err != io.EOF {
		t.Errorf("its other end says %v", err)
	}
}

func TestNoChannelUnlessAskedFor(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Spawn{Serial: 1, Generation: 1})
	k.answerJob(nil)
	if told := k.told(); len(told) != 1 || !strings.HasPrefix(told[0], "Spawned") {
		t.Errorf("told %v", told)
	}
	k.masterDies()
	_, children := k.runMaster()
	if slices.ContainsFunc(children, func(c link.Child) bool { return c.Channels != nil }) {
		t.Errorf("told %+v", children)
	}
}
