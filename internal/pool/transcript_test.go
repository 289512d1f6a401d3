// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestTranscripts plays the events of testdata/*.txt and compares what the pool
// makes of them. testdata/README says how to read them.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := playAll(t, string(data))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(strings.Split(string(data), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("the pool decides otherwise (-file +pool); if that is right, run go test with -update\n%s", diff)
			}
		})
	}
}

// start is the time at which every transcript begins.
const start = 100 * time.Hour

// player plays one transcript.
type player struct {
	set   Settings
	k     *fakeKeeper
	p     *Pool
	now   Time
	cut   int  // messages that the keeper gets of the next step; -1: all
	saves bool // show them
	looks bool // they are played, not answered at once
	out   strings.Builder
}

func playAll(t *testing.T, text string) string {
	pl := &player{cut: -1}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue // written by an earlier run
		}
		pl.out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := pl.play(line); err != nil {
			t.Fatalf("line %d: %s: %v", i+1, line, err)
		}
	}
	return pl.out.String()
}

func (pl *player) play(line string) error {
	words := strings.Fields(line)
	switch words[0] {
	case "pool":
		return pl.begin(words[1:])
	case "saves":
		pl.saves = words[1] == "shown"
		return nil
	case "cut":
		pl.cut, pl.saves = number(words[1]), true
		return nil
	}
	after, err := time.ParseDuration(words[0])
	if err != nil {
		return err
	}
	at := start + after
	if due, ok := pl.p.Deadline(); at < pl.now || ok && due < at && words[1] != "late" {
		return fmt.Errorf("it is %v and the deadline %v", pl.now-start, due-start)
	}
	pl.now = at
	switch rest := strings.TrimPrefix(strings.Join(words[1:], " "), "late "); rest {
	case "restart", "rebuild":
		p, events, err := pl.k.restore(pl.set, pl.p.st.Number, rest == "restart")
		if err != nil {
			return err
		}
		pl.p = p
		return pl.step(events...)
	default:
		var events []Event
		for part := range strings.SplitSeq(rest, ", ") {
			some, err := pl.events(strings.Fields(part))
			if err != nil {
				return err
			}
			events = append(events, some...)
		}
		return pl.step(events...)
	}
}

func number(s string) int { n, _ := strconv.Atoi(s); return n }

// begin reads "pool n=4 ack=manual" and the like.
func (pl *player) begin(options []string) error {
	pl.set = Settings{
		AckTime: time.Second, AckTimeout: 30 * time.Second, Retries: 10, UpgradeRetries: 3,
		Seconds: time.Second, MaxUnacked: 2, GracefulSignal: 12, KillTimeout: 10 * time.Second,
	}
	wanted, looks := 1, false
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		switch name {
		case "n":
			wanted = number(value)
		case "looks":
			looks = value == "played"
		default:
			if err := setOption(&pl.set, name, value); err != nil {
				return err
			}
		}
	}
	pl.k, pl.now, pl.cut, pl.saves, pl.looks = newFakeKeeper(), start, -1, false, looks
	pl.p = New(pl.set, wanted, 1)
	return pl.step(Begun{})
}

// setOption sets one option as "pool" and "set" write it.
func setOption(set *Settings, name, value string) error {
	d, _ := time.ParseDuration(value)
	switch name {
	case "ack":
		set.AckManual, set.AckTime = value == "manual", d
	case "ack-timeout":
		set.AckTimeout = d
	case "r":
		set.Retries = number(value) // forever is 0
	case "upgrade-retries":
		set.UpgradeRetries = number(value)
	case "seconds":
		set.Seconds = d
	case "max-unacked":
		set.MaxUnacked = number(value)
	case "max-upgrade-additional":
		set.MaxUpgradeAdditional = number(value)
	case "drain-timeout":
		set.DrainTimeout = d
	case "kill-timeout":
		set.KillTimeout = d
	case "signal-timeout":
		set.SignalTimeout = d
	case "watchdog":
		set.Watchdog = d
	default:
		return fmt.Errorf("there is no option %s", name)
	}
	return nil
}

// events reads one event, or the same of several workers.
func (pl *player) events(words []string) (list []Event, err error) {
	if words[0] == "set" {
		for _, o := range words[1:] {
			name, value, _ := strings.Cut(o, "=")
			if err := setOption(&pl.set, name, value); err != nil {
				return nil, err
			}
		}
		return []Event{SetSettings{pl.set}}, nil
	}
	if e := pl.command(words); e != nil {
		return []Event{e}, nil
	}
	if len(words) < 2 {
		return nil, fmt.Errorf("there is no event %q", words)
	}
	first, last, ranged := strings.Cut(words[1], "-")
	if !ranged {
		last = first
	}
	how := strings.Join(words[2:], " ")
	for s := uint64(number(first)); s <= uint64(number(last)); s++ {
		e := pl.ofWorker(words[0], s, how)
		if e == nil {
			return nil, fmt.Errorf("there is no event %q", words)
		}
		list = append(list, e)
	}
	return list, nil
}

var signalNames = map[Signal]string{1: "HUP", SigQuit: "QUIT", SigKill: "KILL", 12: "USR2", SigTerm: "TERM"}

func (pl *player) command(words []string) Event {
	switch words[0] {
	case "tick":
		return Tick{}
	case "looked", "blind":
		if events := pl.k.look(words[0] == "looked"); events != nil {
			return events[0]
		}
	case "late-look":
		return Looked{Generation: number(words[1])}
	case "late-blind":
		return LookFailed{number(words[1]), "cannot look"}
	case "number":
		return SetNumber{number(words[1])}
	case "upgrade", "fleet":
		return StartUpgrade{Fleet: words[0] == "fleet"}
	case "HUP":
		return StartUpgrade{ByHUP: true}
	case "INT":
		return StopFor{StopINT}
	case "USR2":
		return StopFor{StopUSR2}
	case "TERM":
		return StopFor{StopTERM}
	case "QUIT":
		return StopFor{StopQUIT}
	case "die":
		for sig, name := range signalNames {
			if len(words) > 1 && name == words[1] {
				return Die{sig}
			}
		}
		return Die{}
	}
	return nil
}

func (pl *player) ofWorker(what string, serial uint64, how string) Event {
	if what == "ack" {
		return Acked{serial}
	}
	r := pl.k.rows[serial]
	if r == nil {
		return nil
	}
	span, _ := time.ParseDuration(how)
	switch what {
	case "leaving":
		return Leaving{serial}
	case "alive":
		return Alive{serial}
	case "faulty":
		return Faulty{Serial: serial, How: "asked to be replaced"}
	case "unheard":
		return Faulty{Serial: serial, How: "cannot be heard any more", Blameless: true}
	case "watched":
		return Watched{serial, span}
	case "extended":
		return Extended{serial, span}
	case "said":
		return Said{serial, how}
	case "immune", "mortal":
		r.immune = what == "immune"
		return Alive{serial} // which means nothing here
	case "up":
		return pl.k.spawn(serial, pl.now)
	case "exit", "crash":
		if how == "" {
			how = "exited with status 0"
		}
		return pl.k.end(serial, Exited{Serial: serial, At: pl.now, How: how, Crash: what == "crash"})
	case "cannot", "short":
		return pl.k.end(serial, SpawnFailed{Serial: serial, Shortage: what == "short", How: "cannot " + how})
	}
	return nil
}

// step plays one step and writes down what follows.
func (pl *player) step(events ...Event) error {
	out := pl.p.Step(pl.now, events...)
	list := messages(out)
	for i, m := range list {
		if pl.cut >= 0 && i >= pl.cut {
			fmt.Fprintf(&pl.out, "  (the master dies; %d messages are lost)\n", len(list)-i)
			break
		}
		if err := pl.k.take(pl.now, m); err != nil {
			return err
		}
		pl.writeMessage(m)
	}
	if pl.cut >= 0 {
		pl.cut = -1
		return nil
	}
	for _, n := range out.Notes {
		pl.writeNote(n)
	}
	if news := pl.k.tell(); len(news) > 0 {
		return pl.step(news...)
	}
	if !pl.looks && pl.k.looks != 0 {
		return pl.step(pl.k.look(true)...)
	}
	if out.End != nil {
		fmt.Fprintf(&pl.out, "  end %d: %s\n", out.End.Status, out.End.Reason)
	}
	pl.writeState()
	return nil
}
