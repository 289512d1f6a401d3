// SPDX-License-Identifier: GPL-3.0-or-later

package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// samples has one of every message, with all that it can hold.
func samples() []Message {
	exit := &Exited{Serial: 4, PID: 3, Code: 1, Signal: 11, Core: true, At: 5}
	launch := Launch{1, "p", "d", 2, time.Unix(3, 4).UTC(), true}
	bytes := [][]byte{[]byte("a\xff")}
	return []Message{
		&Hello{
			Version: Version, Software: "1", KeeperPID: 2, StartedAt: time.Unix(3, 4).UTC(), Config: []byte(`{"a":1}`),
			Sockets: []Socket{{"s", "a", 3, "n", "tcp"}}, NextSerial: 4, Signals: map[int]int{1: 2}, Children: 5,
			Saved: []byte(`[]`), Rebuild: "why", Masters: 6, Reload: true, Settings: []byte(`{}`), Launches: []Launch{launch}, GaveUp: "why",
		},
		&Child{Serial: 1, Generation: 2, Index: 3, PID: 4, OrderedAt: 5, StartedAt: 6, ReadyAt: 7, Level: LevelTerm, SignalAt: 8, Saved: []byte(`{}`), Exit: exit, Refused: &SignalFailed{1, 2, 3, LevelTerm}, Channels: []ChannelKind{ChannelControl, ChannelReady}},
		&Begin{}, &Spawned{1, 2, 3}, &SpawnFailed{1, 2, "p", "d", true, 3}, exit, &Signalled{1, 2}, &Done{3}, &Listener{},
		&Live{}, &Spawn{1, 2, 3}, &Signal{1, 2, 3, true, LevelKill}, &Forget{1, 2, 3},
		&Save{Serial: 1, ReadyAt: 2, Data: []byte(`{}`), Signals: map[int]int{15: 1}, Generations: []int{1}, Last: true}, &Renew{}, &Exit{1, "r"},
		&Lead{}, &Channel{1, ChannelNotify}, &Probe{1}, &Probed{1, true}, &Greet{1, 2, "s", true}, &Ping{}, &Pong{}, &SignalFailed{1, 2, 3, LevelKill}, &Settings{[]byte(`{}`), 4},
		&Reload{}, &Quiesce{}, &Quiesced{"f"}, &ReloadFailed{"r"}, &Client{[]byte(`{}`)}, &Luggage{[]byte(`{}`)}, &Handed{},
		&Look{1}, &Looked{launch}, &LookFailed{1, "r"}, &Blind{"r"},
		&LookAt{Program: bytes, Dir: bytes[0], Env: []EnvSource{{bytes[0], true, true}}, Drop: bytes, ReexecAs: bytes, Einhorn: true},
		&Saw{bytes, bytes, bytes[0], bytes[0], bytes[0], true, true},
	}
}

func TestEveryKindRoundTrips(t *testing.T) {
	seen := map[kind]bool{}
	for _, m := range samples() {
		seen[m.kind()] = true
		b, err := encode(m, 2)
		if err != nil {
			t.Fatal(err)
		}
		f, err := cutFrame(slices.Concat(b, []byte("after")), MaxPayload)
		if err != nil || f.fds != 2 || f.size != len(b) {
			t.Fatalf("%T came back as %+v, %v", m, f, err)
		}
		if diff := cmp.Diff(m, f.msg); diff != "" {
			t.Errorf("%T changed (-want +got):\n%s", m, diff)
		}
	}
	for k := range 256 {
		if m := newMessage(kind(k)); m != nil && !seen[kind(k)] {
			t.Errorf("kind %d, %T, has no sample", k, m)
		}
	}
}

// TestNothingStaysNothing: a master must tell what was never saved from what was.
func TestNothingStaysNothing(t *testing.T) {
	for _, m := range []Message{&Hello{}, &Child{}} {
		b, err := encode(m, 0)
		if err != nil {
			t.Fatal(err)
		}
		f, err := cutFrame(b, MaxPayload)
		if err != nil {
			t.Fatal(err)
		}
		switch m := f.msg.(type) {
		case *Hello:
			if m.Saved != nil || m.Settings != nil {
				t.Errorf("what was never saved came as %s and %s", m.Saved, m.Settings)
			}
		case *Child:
			if m.Saved != nil {
				t.Errorf("what was never saved came as %s", m.Saved)
			}
		}
	}
}

func FuzzCutFrame(f *testing.F) {
	for _, m := range samples() {
		b, _ := encode(m, 1)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := cutFrame(b, MaxPayload)
		if err != nil || fr.size == 0 || fr.msg == nil {
			return
		}
		again, err := encode(fr.msg, fr.fds)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		fr2, err := cutFrame(again, MaxPayload)
		if err != nil || !reflect.DeepEqual(normal(fr.msg), normal(fr2.msg)) || fr.fds != fr2.fds {
			t.Fatalf("%#v came back as %#v, %v", fr.msg, fr2.msg, err)
		}
	})
}

// normal encodes a message once, so that two spellings of the same JSON are
// the same.
func normal(m Message) string {
	b, _ := encode(m, 0)
	return string(b)
}

func TestBadFramesAreRefused(t *testing.T) {
	long := binary.BigEndian.AppendUint32(nil, MaxPayload+1)
	for name, b := range map[string][]byte{
		"too long":     append(long, byte(kindLive), 0),
		"too many fds": {0, 0, 0, 2, byte(kindLive), maxFDs + 1, '{', '}'},
		"not JSON":     {0, 0, 0, 1, byte(kindLive), 0, '{'},
	} {
		if _, err := cutFrame(b, MaxPayload); !errors.Is(err, errFrame) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// pair makes both ends of a link.
func pair(t *testing.T) (a, b *Conn) {
	t.Helper()
	a, f, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	b, err = New(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		b.Close()
		for range a.In() {
		}
		for range b.In() {
		}
	})
	return a, b
}

func TestUnknownKindIsSkipped(t *testing.T) {
	a, b := pair(t)
	raw := []byte{0, 0, 0, 2, 200, 0, '{', '}'}
	if _, err := a.file.Write(raw); err != nil {
		t.Fatal(err)
	}
	a.Send(&Done{7})
	if in := <-b.In(); !reflect.DeepEqual(in.Msg, &Done{7}) {
		t.Errorf("received %+v", in.Msg)
	}
}

func TestPartialMessageIsDroppedAtTheEnd(t *testing.T) {
	a, b := pair(t)
	a.Send(&Done{1})
	frame, _ := encode(&Done{2}, 0)
	if _, err := a.file.Write(frame[:len(frame)-1]); err != nil {
		t.Fatal(err)
	}
	a.Close()
	var got []Message
	for in := range b.In() {
		got = append(got, in.Msg)
	}
	if len(got) != 1 || !errors.Is(b.Err(), io.EOF) {
		t.Errorf("received %+v, %v, want one message and EOF", got, b.Err())
	}
}

func TestDescriptorsComeWithTheirMessage(t *testing.T) {
	a, b := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fd, err := unix.Dup(int(w.Fd()))
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	a.Send(&Done{1})
	a.Send(&Listener{}, fd)
	a.Send(&Done{2})
	for i, want := range []int{0, 1, 0} {
		in := <-b.In()
		if len(in.FDs) != want {
			t.Fatalf("message %d came with %d descriptors, want %d", i, len(in.FDs), want)
		}
		for _, fd := range in.FDs {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("the descriptor has flags %x, %v, want close-on-exec", flags, err)
			}
			if _, err := unix.Write(fd, []byte("x")); err != nil {
				t.Error(err)
			}
			unix.Close(fd)
		}
	}
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, []byte("x")) {
		t.Errorf("the pipe holds %q, %v: a copy of the descriptor was left open", b, err)
	}
}

func TestSendNeverBlocks(t *testing.T) {
	a, b := pair(t)
	const size = 64 << 10
	big := &Exit{Reason: strings.Repeat("x", size)}
	const count = 20 // together far more than a socket buffer takes
	for range count {
		a.Send(big)
	}
	a.Send(&Done{9})
	if !a.Pending() {
		t.Fatal("nothing is pending though nobody has read")
	}
	for range count {
		if in := <-b.In(); len(in.Msg.(*Exit).Reason) != size {
			t.Fatal("a long message was cut")
		}
	}
	if in := <-b.In(); !reflect.DeepEqual(in.Msg, &Done{9}) {
		t.Errorf("received %T after them", in.Msg)
	}
	<-a.Drained()
	if a.Pending() {
		t.Error("something is pending though all was read")
	}
}

func TestPendingForEverWhenTheOtherEndIsGone(t *testing.T) {
	a, b := pair(t)
	b.Close()
	<-a.In()
	a.Send(&Done{1})
	if !a.Pending() {
		t.Error("nothing is pending: whoever waits for it would take it for sent")
	}
}

func TestIdleOnlyWhenAllWasTaken(t *testing.T) {
	a, b := pair(t)
	if !b.Idle() {
		<-b.Parked()
	}
	for i := range uint64(100) {
		a.Send(&Done{i})
	}
	got := 0
	for !b.Idle() {
		select {
		case <-b.In():
			got++
		case <-b.Parked():
		}
	}
	if got != 100 {
		t.Errorf("it was idle after %d of 100 messages", got)
	}
}
