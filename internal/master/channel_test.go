// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"bufio"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
)

// channel makes a worker's own connection: the worker's end, and ours.
func (k *fakeKeeper) channel() (worker *client, ours int) {
	k.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		k.t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "worker")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { c.Close(); unix.Close(fds[0]) })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		k.t.Fatal(err)
	}
	return &client{k.t, c, bufio.NewScanner(c)}, fds[0]
}

// give duplicates a descriptor, as the keeper does before it sends one.
func (k *fakeKeeper) give(fd int) int {
	k.t.Helper()
	dup, err := unix.Dup(fd)
	if err != nil {
		k.t.Fatal(err)
	}
	return dup
}

// saved waits until this worker is saved as ready.
func (k *fakeKeeper) savedReady(serial uint64) {
	k.t.Helper()
	for {
		if save := expect[*link.Save](k); save.Serial == serial && save.ReadyAt != 0 {
			return
		}
	}
}

func TestAckOnTheWorkersOwnConnection(t *testing.T) {
	k := newFakeKeeper(t)
	k.start()
	spawn := expect[*link.Spawn](k)
	c, ours := k.channel()
	c.say(`{"command":"worker:ack"}`) // before anybody knows its pid
	k.conn.Send(&link.Channel{Serial: spawn.Serial, Kind: link.ChannelControl}, k.give(ours))
	k.conn.Send(&link.Spawned{Serial: spawn.Serial, PID: 1 << 28, At: link.Now()})
	c.heard("Acknowledged!")
	k.savedReady(spawn.Serial)
	if c.lines.Scan() || c.lines.Err() != nil {
		t.Errorf("it does not end: %q, %v", c.lines.Text(), c.lines.Err())
	}
}

func TestAWorkersOwnConnectionIsForItselfAlone(t *testing.T) {
	k := newFakeKeeper(t)
	k.cfg.Number = 2
	k.start()
	var serials []uint64
	var own []*client
	for i := range 2 {
		spawn := expect[*link.Spawn](k)
		c, ours := k.channel()
		own, serials = append(own, c), append(serials, spawn.Serial)
		k.conn.Send(&link.Channel{Serial: spawn.Serial, Kind: link.ChannelControl}, k.give(ours))
		k.conn.Send(&link.Spawned{Serial: spawn.Serial, PID: 1<<28 + i, At: link.Now()})
	}
	own[1].say(`{"command":"worker:ack","id":0,"pid":%d}`, 1<<28+1)
	own[1].heard("Acknowledged!")
	k.savedReady(serials[1])
	c := own[0]
	c.say(`{"command":"worker:ack","id":1,"pid":%d}`, 1<<28+1)
	c.heard("only for itself")
	c.say(`{"command":"worker:ping","id":2,"pid":%d}`, 1<<28+1)
	c.heard("only for itself")
	for _, command := range []string{"inc", "die", "status", "config", "reload"} {
		c.say(`{"command":"%s","id":3}`, command)
		c.heard(`"ok":false`)
	}
	c.say(`{"command":"worker:ping","id":4}`)
	c.heard("Pinged!")
	c.say(`{"command":"worker:ack","id":5,"pid":1}`) // its own number for itself, in another pid namespace
	c.heard("Acknowledged!")
	k.savedReady(serials[0])
}

func TestAWorkersOwnConnectionComesWithTheHello(t *testing.T) {
	k := newFakeKeeper(t)
	c, ours := k.channel()
	gone, goneOurs := k.channel()
	c.say(`{"command":"worker:ack","id":1}`)
	k.cfg.Number = 2
	k.hello.Masters, k.hello.NextSerial, k.hello.Rebuild = 1, 3, "the test says so"
	k.fds = map[uint64]int{1: k.give(ours), 2: k.give(goneOurs)}
	k.start(
		link.Child{Serial: 1, Generation: 1, PID: 1 << 28, StartedAt: link.Now(), Channels: []link.ChannelKind{link.ChannelControl}},
		link.Child{Serial: 2, Generation: 1, PID: 1<<28 + 1, StartedAt: link.Now(), Channels: []link.ChannelKind{link.ChannelControl}},
	)
	c.heard("Acknowledged!")
	k.savedReady(1)
	k.conn.Send(&link.Exited{Serial: 2, PID: 1<<28 + 1, At: link.Now()})
	if gone.lines.Scan() {
		t.Errorf("got %q", gone.lines.Text())
	}
}
