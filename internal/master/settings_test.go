// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/wire"
)

// settingsIn are the data of an answer.
func settingsIn(t *testing.T, line string) wire.Settings {
	t.Helper()
	var s wire.Settings
	r, err := wire.ParseReply([]byte(line))
	if err == nil {
		err = json.Unmarshal(r.Data, &s)
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return s
}

func valueOf(s wire.Settings, key string) string {
	for _, o := range s.Settings {
		if o.Key == key {
			return o.Value
		}
	}
	return "no such key"
}

func TestConfigShowsAndChanges(t *testing.T) {
	k := newFakeKeeper(t)
	serial, _ := ready(k)
	c := k.client()
	c.say(`{"command":"config","id":1}`)
	s := settingsIn(t, c.hear())
	if valueOf(s, "number") != "1" || valueOf(s, "program") != "p" || valueOf(s, "ack_timeout") != "1h0m0s" {
		t.Errorf("it shows %+v", s.Settings)
	}
	c.say(`{"command":"config","id":2,"args":["number=2","seconds=0.5","ack-timeout=2h","verbosity=warn"]}`)
	if m := expect[*link.Settings](k); string(m.Data) != `{"ack_timeout":"2h","seconds":"0.5","verbosity":"warn"}` || m.LogLevel != int(slog.LevelWarn) {
		t.Errorf("the keeper is told %s, level %d", m.Data, m.LogLevel)
	}
	line := c.hear()
	s = settingsIn(t, line)
	if !strings.Contains(line, `"message":"number is 2 now, was 1; seconds is 500ms now, was 1s; ack_timeout is 2h0m0s now, was 1h0m0s; verbosity is warn now, was info"`) ||
		!strings.Contains(line, `"ok":true`) || valueOf(s, "number") != "2" || valueOf(s, "seconds") != "500ms" || len(s.Changed) != 4 {
		t.Errorf("the answer is %s", line)
	}
	// The pool has it, too: two workers are wanted, and a shorter timeout is over at once.
	c.say(`{"command":"set_workers","args":["2"],"id":3}`)
	c.heard("2 workers are wanted already")
	c.say(`{"command":"worker:ping"}` + "\n" + `{"command":"config","id":4,"args":["kill_timeout=1s","ack_timeout=0.001"]}`)
	second := k.pidOf(2)
	sig := expect[*link.Signal](k)
	if sig.Serial == serial || sig.Signal != int(unix.SIGTERM) {
		t.Errorf("the signal is %+v, want TERM to worker %d that has not ACKed", sig, second)
	}
}

// pidOf answers the spawn of a worker that was asked for before.
func (k *fakeKeeper) pidOf(serial uint64) int {
	k.pid++
	k.conn.Send(&link.Spawned{Serial: serial, PID: k.pid, At: link.Now()})
	return k.pid
}

func TestConfigTellsWhatItRefuses(t *testing.T) {
	k := newFakeKeeper(t)
	ready(k)
	c := k.client()
	c.say(`{"command":"config","id":1,"args":["seconds=2","pidfile=/x","number=0","colour=red"]}`)
	line := c.hear()
	s := settingsIn(t, line)
	if len(s.Changed) != 1 || s.Changed[0] != (wire.Change{Key: "seconds", From: "1s", To: "2s"}) || len(s.Refused) != 3 {
		t.Errorf("changed %+v, refused %+v", s.Changed, s.Refused)
	}
	for _, want := range []string{
		`"ok":false`, `"code":"refused"`, `cannot set pidfile to \"/x\": only a restart can change it`,
		`cannot set number to \"0\": not a number from 1 to 10000, as in number=4`, `colour to \"red\": there is no such setting`,
		`seconds is 2s now, was 1s`,
	} {
		if !strings.Contains(line, want) {
			t.Errorf("%s is not in %s", want, line)
		}
	}
	c.say(`{"command":"config","args":["seconds=2","seconds"]}`)
	c.heard(`cannot config \"seconds\": it takes KEY=VALUE, as in config number=4`)
	c.say(`{"command":"config","args":["=2"]}`)
	c.heard(`it takes KEY=VALUE`)
	c.say(`{"command":"config","args":["number=3"],"id":2}`)
	c.heard(`"ok":true`)
	c.say(`{"command":"die"}`)
	sig := expect[*link.Signal](k)
	k.conn.Send(&link.Done{Through: sig.Number})
	c.heard("Ending")
	c.say(`{"command":"config","args":["number=4","drain_timeout=5"],"id":3}`)
	c.heard(`cannot set number to \"4\": the master is stopping; drain_timeout is 5s now, was 0s`)
}

func TestQuieterAndLouder(t *testing.T) {
	k := newFakeKeeper(t)
	ready(k)
	c := k.client()
	for _, step := range []struct {
		verb, want string
		level      slog.Level
	}{
		{"quieter", "Logging warn and worse", slog.LevelWarn},
		{"quieter", "It cannot be quieter: warn and worse is logged already", slog.LevelWarn},
		{"louder", "Logging info and worse", slog.LevelInfo},
		{"louder", "Logging debug and worse", slog.LevelDebug},
		{"louder", "It cannot be louder", slog.LevelDebug},
	} {
		c.say(`{"command":%q,"id":1}`, step.verb)
		if m := expect[*link.Settings](k); m.LogLevel != int(step.level) {
			t.Errorf("%s: the level is %d, want %d", step.verb, m.LogLevel, step.level)
		}
		c.heard(step.want)
	}
}

func TestNextMasterTakesTheSettings(t *testing.T) {
	k := newFakeKeeper(t)
	k.hello.Settings = []byte(`{"seconds":"3","drain_timeout":"nonsense","from_the_future":"7","pidfile":"/x","kill_timeout":"2"}`)
	k.start()
	k.spawned()
	c := k.client()
	c.say(`{"command":"config","id":1}`)
	s := settingsIn(t, c.hear())
	if valueOf(s, "seconds") != "3s" || valueOf(s, "kill_timeout") != "2s" || valueOf(s, "drain_timeout") != "0s" || valueOf(s, "pidfile") != "" {
		t.Errorf("it has %+v", s.Settings)
	}
	c.say(`{"command":"quieter"}`)
	m := expect[*link.Settings](k)
	if string(m.Data) != `{"from_the_future":"7","kill_timeout":"2","seconds":"3","verbosity":"warn"}` {
		t.Errorf("the next is told %s", m.Data)
	}
}

func TestNextMasterOfEinhornHasBothTimeouts(t *testing.T) {
	k := newFakeKeeper(t)
	k.cfg.Einhorn = true
	ready(k)
	c := k.client()
	for _, args := range []string{`"signal_timeout=5"`, `"kill_timeout=2"`} {
		c.say(`{"command":"config","id":1,"args":[%s]}`, args)
		c.heard(`"ok":true`)
	}
	expect[*link.Settings](k)
	saved := expect[*link.Settings](k)
	for range 10 { // whatever the order of a map
		cfg := k.cfg
		if _, warnings := takeChanges(&link.Hello{Settings: saved.Data}, &cfg); warnings != nil || cfg.KillTimeout != 2*time.Second || cfg.SignalTimeout != 5*time.Second {
			t.Fatalf("%s makes %v and %v, %q", saved.Data, cfg.SignalTimeout, cfg.KillTimeout, warnings)
		}
	}
}

func TestUnreadableSettingsKeepNobodyFromWork(t *testing.T) {
	k := newFakeKeeper(t)
	k.hello.Settings = []byte(`[7]`)
	k.hello.Rebuild, k.hello.Masters, k.hello.NextSerial = "a test", 1, 2
	now := link.Now()
	k.start(link.Child{Serial: 1, Generation: 1, PID: os.Getpid(), OrderedAt: now, StartedAt: now, ReadyAt: now})
	expect[*link.Live](k)
	c := k.client()
	c.say(`{"command":"config","id":1,"args":["seconds=2"]}`)
	if m := expect[*link.Settings](k); string(m.Data) != `{"seconds":"2"}` {
		t.Errorf("the keeper is told %s", m.Data)
	}
	c.heard("seconds is 2s now")
}

func TestSettingsHoldForARebuiltPool(t *testing.T) {
	k := newFakeKeeper(t)
	k.hello.Settings = []byte(`{"ack_timeout":"0.001"}`)
	k.hello.Saved = []byte(`{"number":2}`)
	k.hello.Rebuild, k.hello.Masters, k.hello.NextSerial = "a test", 1, 2
	now := link.Now()
	k.start(link.Child{Serial: 1, Generation: 1, PID: 1 << 28, OrderedAt: now, StartedAt: now - time.Second})
	// Uncertain and over its time: replaced at once.
	for serials := 0; serials < 2; serials++ {
		expect[*link.Spawn](k)
	}
	c := k.client()
	c.say(`{"command":"config","id":1}`)
	if s := settingsIn(t, c.hear()); valueOf(s, "number") != "2" || valueOf(s, "ack_timeout") != "1ms" {
		t.Errorf("it has %+v", s.Settings)
	}
}
