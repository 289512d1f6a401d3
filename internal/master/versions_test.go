// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
)

var update = flag.Bool("update", false, "record what a master of this version is told at first")

// released is as in internal/link: the newest version that is part of a release.
const released = 0

// told is what a master is told by a keeper whose last master was of some
// version: options, saved state and settings as that one wrote them.
type told struct {
	Hello    link.Hello   `json:"hello"`
	Children []link.Child `json:"children"`
}

func toldOf(version int) string {
	return filepath.Join("testdata", fmt.Sprintf("told-%d.json", version))
}

// midUpgrade is a pool in the middle of an upgrade, with something of
// everything that is saved.
func midUpgrade(t *testing.T) told {
	t.Helper()
	cfg, err := config.ParseEinhorn([]string{"-b", "127.0.0.1:0,r", "-m", "manual", "-n", "2", "--nice", "1:2", "true"}, []string{"PATH=/bin:/usr/bin"})
	if err != nil {
		t.Fatal(err)
	}
	o := told{Hello: link.Hello{
		Version: link.Version, Software: "0.1.0", KeeperPID: 10, Masters: 1, NextSerial: 5,
		Settings: json.RawMessage(`{"number":"3","verbosity":"debug"}`),
		Launches: []link.Launch{{Generation: 1, Program: "/bin/true", Directory: "/"}},
	}}
	o.Hello.Config, _ = json.Marshal(cfg)
	p := pool.New(settingsOf(cfg), 2, 1)
	second := time.Second
	for _, events := range [][]pool.Event{
		{pool.Begun{}},
		{pool.Spawned{Serial: 1, PID: 101, At: second}, pool.Spawned{Serial: 2, PID: 102, At: second}},
		{pool.Acked{Serial: 1}, pool.Acked{Serial: 2}, pool.StartUpgrade{}},
		{pool.Looked{Generation: 2}},
		{pool.Spawned{Serial: 3, PID: 103, At: second}, pool.Acked{Serial: 3}, pool.Exited{Serial: 2, At: second, How: "x"}},
	} {
		for _, s := range p.Step(second, events...).Saves {
			if s.Worker == nil {
				o.Hello.Saved, _ = json.Marshal(s.State)
			}
		}
	}
	for _, w := range p.Workers() {
		c := link.Child{Serial: w.Serial, Generation: w.Generation, Index: w.Index, PID: w.PID, OrderedAt: w.OrderedAt, StartedAt: w.StartedAt, ReadyAt: w.ReadyAt}
		c.Saved, _ = json.Marshal(w)
		o.Children = append(o.Children, c)
	}
	o.Hello.Children = len(o.Children)
	return o
}

// TestWhatEveryVersionSavedIsUnderstood has the present code go on where
// masters of every version were.
func TestWhatEveryVersionSavedIsUnderstood(t *testing.T) {
	if *update && link.Version > released {
		text, err := json.MarshalIndent(midUpgrade(t), "", "\t")
		if err == nil {
			err = os.WriteFile(toldOf(link.Version), append(text, '\n'), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for version := link.Oldest; version <= link.Version; version++ {
		text, err := os.ReadFile(toldOf(version))
		if err != nil {
			t.Fatalf("%v: go test ./internal/master -update records it", err)
		}
		var saved told
		strict := json.NewDecoder(bytes.NewReader(text))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&saved); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		o := &opening{hello: saved.Hello, children: saved.Children}
		strict = json.NewDecoder(bytes.NewReader(saved.Hello.Config))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&o.cfg); err != nil {
			t.Errorf("version %d: the options: %v", version, err)
		}
		if _, warnings := takeChanges(&o.hello, &o.cfg); len(warnings) > 0 {
			t.Errorf("version %d: the settings: %q", version, warnings)
		}
		p, lost := poolOf(o)
		if lost != "" {
			t.Errorf("version %d: what was under way is lost: %s", version, lost)
			continue
		}
		st := p.State()
		got := fmt.Sprintf("%d wanted, generation %d, upgrade to %d %v, log %v", st.Number, st.Generation, st.Upgrade.Generation, st.Upgrade.Phase, o.cfg.LogLevel())
		for _, w := range p.Workers() {
			got += fmt.Sprintf("; %d of generation %d %v", w.Serial, w.Generation, w.Phase)
		}
		want := "2 wanted, generation 2, upgrade to 2 running, log DEBUG; 1 of generation 1 ready; 3 of generation 2 ready; 4 of generation 2 starting"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("version %d: (-want +got):\n%s", version, diff)
		}
	}
}
