// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/notify"
)

// mouth is a worker's end of its NOTIFY_SOCKET, and ours.
type mouth struct {
	k    *fakeKeeper
	fd   int
	addr *unix.SockaddrUnix
	ours int
}

func (k *fakeKeeper) mouth() *mouth {
	k.t.Helper()
	ours, name, err := notify.Socket(notify.Home{Dir: filepath.Join(k.t.TempDir(), "n")})
	if err != nil {
		k.t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { unix.Close(ours); unix.Close(fd) })
	return &mouth{k, fd, &unix.SockaddrUnix{Name: name}, ours}
}

func (m *mouth) say(text string, fds ...int) {
	m.k.t.Helper()
	var oob []byte
	if fds != nil {
		oob = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(m.fd, []byte(text), oob, m.addr, 0); err != nil {
		m.k.t.Fatal(err)
	}
}

func newNotifyKeeper(t *testing.T) *fakeKeeper {
	t.Helper()
	k := newFakeKeeper(t)
	k.cfg.AckBy = "notify"
	return k
}

// TestReadyBeforeSpawned: what a worker says before it is known who it is waits
// in its socket.
func TestReadyBeforeSpawned(t *testing.T) {
	k := newNotifyKeeper(t)
	k.start()
	spawn := expect[*link.Spawn](k)
	m := k.mouth()
	m.say("READY=1")
	k.conn.Send(&link.Channel{Serial: spawn.Serial, Kind: link.ChannelNotify}, k.give(m.ours))
	k.conn.Send(&link.Spawned{Serial: spawn.Serial, PID: os.Getpid(), At: link.Now()})
	k.savedReady(spawn.Serial)
}

// TestReadyAtAnotherMaster: what was said to a master that died unheard is read
// by the next, and what was heard was saved before anybody is told so.
func TestReadyAtAnotherMaster(t *testing.T) {
	k := newNotifyKeeper(t)
	m := k.mouth()
	m.say("READY=1")
	k.hello.Masters, k.hello.NextSerial, k.hello.Rebuild = 1, 2, "the test says so"
	k.fds = map[uint64]int{1: k.give(m.ours)}
	k.start(link.Child{Serial: 1, Generation: 1, PID: os.Getpid(), StartedAt: link.Now(), Channels: []link.ChannelKind{link.ChannelNotify}})
	k.savedReady(1)
}

// TestReadyBeatsItsTimeout: a master that was stopped for longer than an ACK may
// take finds the ACK, not the timeout.
func TestReadyBeatsItsTimeout(t *testing.T) {
	k := newNotifyKeeper(t)
	k.cfg.AckTimeout = time.Minute
	m := k.mouth()
	m.say("READY=1")
	k.hello.Masters, k.hello.NextSerial, k.hello.Rebuild = 1, 2, "the test says so"
	k.fds = map[uint64]int{1: k.give(m.ours)}
	k.start(link.Child{
		Serial: 1, Generation: 1, PID: os.Getpid(), StartedAt: link.Now() - time.Hour,
		Channels: []link.ChannelKind{link.ChannelNotify},
	})
	for {
		switch msg := k.receive().(type) {
		case *link.Signal:
			t.Fatalf("worker %d is sent %d", msg.Serial, msg.Signal)
		case *link.Save:
			if msg.Serial == 1 && msg.ReadyAt != 0 {
				return
			}
		}
	}
}

// TestBarrierWaitsForTheKeeper: a worker that waits is told so when the ACK
// before it was sent to be saved, and not before the signals that follow from it.
func TestBarrierWaitsForTheKeeper(t *testing.T) {
	k := newNotifyKeeper(t)
	k.start()
	spawn := expect[*link.Spawn](k)
	m := k.mouth()
	k.conn.Send(&link.Channel{Serial: spawn.Serial, Kind: link.ChannelNotify}, k.give(m.ours))
	k.conn.Send(&link.Spawned{Serial: spawn.Serial, PID: os.Getpid(), At: link.Now()})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m.say("READY=1")
	m.say("BARRIER=1", int(w.Fd()))
	w.Close()
	k.savedReady(spawn.Serial)
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || os.IsTimeout(err) {
		t.Errorf("read %d, %v", n, err)
	}
}

// TestLastWords: what a worker said right before its end is part of the reason,
// though its end is heard first; and if no master ran, the next reads it.
func TestLastWords(t *testing.T) {
	for _, name := range []string{"heard after the end", "said to nobody"} {
		t.Run(name, func(t *testing.T) {
			k := newNotifyKeeper(t)
			m := k.mouth()
			exit := &link.Exited{Serial: 1, PID: os.Getpid(), At: link.Now(), Code: 3}
			m.say("STATUS=cannot open the database")
			if name == "said to nobody" {
				k.hello.Masters, k.hello.NextSerial, k.hello.Rebuild = 1, 2, "the test says so"
				k.fds = map[uint64]int{1: k.give(m.ours)}
				k.start(link.Child{Serial: 1, Generation: 1, PID: os.Getpid(), StartedAt: exit.At, ReadyAt: exit.At, Channels: []link.ChannelKind{link.ChannelNotify}, Exit: exit})
			} else {
				k.start()
				expect[*link.Spawn](k)
				k.conn.Send(&link.Channel{Serial: 1, Kind: link.ChannelNotify}, k.give(m.ours))
				k.conn.Send(&link.Spawned{Serial: 1, PID: os.Getpid(), At: link.Now()})
				k.conn.Send(exit)
			}
			for {
				if save := expect[*link.Save](k); strings.Contains(string(save.Data), "it said: cannot open the database") {
					return
				}
			}
		})
	}
}

// TestLeavingIsNotAsked: nobody asks a worker to end that says that it does.
func TestLeavingIsNotAsked(t *testing.T) {
	k := newNotifyKeeper(t)
	k.cfg.Seconds = 0
	k.start()
	spawn := expect[*link.Spawn](k)
	m := k.mouth()
	k.conn.Send(&link.Channel{Serial: spawn.Serial, Kind: link.ChannelNotify}, k.give(m.ours))
	k.conn.Send(&link.Spawned{Serial: spawn.Serial, PID: os.Getpid(), At: link.Now()})
	m.say("READY=1")
	k.savedReady(spawn.Serial)
	m.say("STOPPING=1")
	for {
		switch msg := k.receive().(type) {
		case *link.Signal:
			t.Fatalf("worker %d is sent %d", msg.Serial, msg.Signal)
		case *link.Spawn:
			if msg.Serial != spawn.Serial+1 {
				t.Errorf("spawned %d", msg.Serial)
			}
			return
		}
	}
}

// TestProbesUntilOneSucceeds: one at a time, and none once the worker is ready.
func TestProbesUntilOneSucceeds(t *testing.T) {
	k := newFakeKeeper(t)
	k.cfg.AckBy, k.cfg.AckCommand = "exec", []string{"probe"}
	k.start()
	spawn := expect[*link.Spawn](k)
	k.conn.Send(&link.Spawned{Serial: spawn.Serial, PID: os.Getpid(), At: link.Now()})
	for i := range 3 {
		if p := expect[*link.Probe](k); p.Serial != spawn.Serial {
			t.Fatalf("probes %d", p.Serial)
		}
		k.conn.Send(&link.Probed{Serial: spawn.Serial, Ready: i == 2})
	}
	k.savedReady(spawn.Serial)
	k.conn.Send(&link.Probed{Serial: 77, Ready: true}) // a worker that is gone
	k.conn.Send(&link.Exited{Serial: spawn.Serial, PID: os.Getpid(), At: link.Now()})
	for {
		switch msg := k.receive().(type) {
		case *link.Probe:
			t.Fatalf("probes %d", msg.Serial)
		case *link.Spawn:
			return
		}
	}
}
