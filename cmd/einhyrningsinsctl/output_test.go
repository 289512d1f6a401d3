// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"einhyrningsins/client"
	"einhyrningsins/internal/wire"

	"github.com/google/go-cmp/cmp"
)

// golden compares got with testdata/name, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s, to be written anew with -update (-want +got):\n%s", path, diff)
	}
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time   { return noon.Add(-d) }
func beforeP(d time.Duration) *time.Time { t := before(d); return &t }

func calmStatus() *client.Status {
	return &client.Status{
		PID: 4711, MasterPID: 4712, Version: "1.2.3", KeeperVersion: "1.2.3", Program: []string{"server", "--name", "my web"},
		StartedAt: before(75 * time.Hour), Generation: 1, GoodGeneration: 1, Number: 1, AckMode: "1s",
		Sockets: []wire.Socket{{Spec: ":80", Address: ":80", FD: 3}, {Spec: "[::1]:0,r", Address: "[::1]:40123", FD: 4}},
		Upgrade: wire.UpgradeStatus{State: wire.UpgradeIdle},
		Workers: []wire.Worker{{PID: 5000, Generation: 1, State: wire.StateReady, StartedAt: before(time.Hour), ReadyAt: beforeP(time.Hour - time.Second)}},
		Generations: []wire.Generation{{
			Generation: 1, Program: "/srv/web/releases/12/server",
			Directory: "/srv/web/releases/12", Variables: 24, LookedAt: before(75 * time.Hour),
		}},
	}
}

func troubledStatus() *client.Status {
	st := calmStatus()
	st.Version = "1.3.0\x07"
	st.Program = []string{"bad\x1b[31m", "\u202eevil", "\xff"}
	st.Generations = append(st.Generations, wire.Generation{
		Generation: 13, Program: "/srv/web/releases/\n13/server",
		Directory: "/srv/web/releases/13\x1b", Variables: 25, LookedAt: before(4 * time.Second),
	})
	st.Generation, st.Number, st.AckMode, st.Stopping = 13, 4, "manual", true
	next := noon.Add(3400 * time.Millisecond)
	st.Missing, st.NextSpawnAt, st.FailedStarts = 2, &next, 3
	st.LastFailure = "worker 5003 of generation 13 exited with status 3 before it was ready"
	st.LastFailureStderr = "in /var/log/\x1bweb.log"
	st.Upgrade = wire.UpgradeStatus{State: wire.UpgradeAborted, Generation: 13, Ready: 1, Number: 4, Reason: st.LastFailure}
	st.Workers = []wire.Worker{
		{
			PID: 5000, Index: 0, Generation: 1, State: wire.StateReady, StartedAt: before(26 * time.Hour), ReadyAt: beforeP(26*time.Hour - 310*time.Millisecond),
			PingedAt: beforeP(4 * time.Second), PingedRequestID: "req-17\x07\r\n",
		},
		{PID: 105002, Index: 1, Generation: 13, State: wire.StateStarting, StartedAt: before(-time.Second)},
		{PID: 32, Index: 10, Generation: 1, State: wire.StateDraining, StartedAt: before(90 * time.Second), ReadyAt: beforeP(48500 * time.Millisecond), PingedAt: beforeP(time.Hour)},
		{PID: 33, Index: 11, Generation: 1, State: wire.StateKilled, StartedAt: before(90 * time.Second)},
	}
	return st
}

func TestStatusTable(t *testing.T) {
	for name, st := range map[string]*client.Status{"calm": calmStatus(), "troubled": troubledStatus()} {
		for _, colour := range []bool{false, true} {
			var b bytes.Buffer
			var warned bytes.Buffer
			o := &output{out: &b, err: &warned, colour: colour, now: func() time.Time { return noon }}
			o.status(st)
			if got := strings.Contains(warned.String(), "only a restart of the daemon renews the keeper"); got != (name == "troubled") {
				t.Errorf("%s: warned of an old keeper: %q", name, &warned)
			}
			if colour {
				plain := strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[36m", "").Replace(b.String())
				if plain == b.String() {
					t.Errorf("%s: no colours", name)
				}
				b.Reset()
				b.WriteString(plain) // colours must not move anything
			}
			golden(t, "status-"+name+".txt", b.String())
		}
	}
}

func someEvents() []wire.Event {
	index := 0
	return []wire.Event{
		{
			Number: 8, At: before(time.Minute), Kind: "failed", Level: "warn", Generation: 2, PID: 5001, Index: &index,
			Text: "worker failed to start", Reason: "worker 5001 (index 0, generation 2) exited with status 3\x1b[2J",
		},
		{Number: 9, At: before(time.Second), Kind: "setting", Level: "info", Text: "a setting was changed by command", Details: map[string]string{"to": "4", "setting": "seconds", "from": "1"}},
	}
}

func TestEventsTable(t *testing.T) {
	later := someEvents()[:1]
	later[0].Number, later[0].PID, later[0].Level = 10, 123456, "error"
	for _, colour := range []bool{false, true} {
		var b, told bytes.Buffer
		v := eventsView{o: &output{out: &b, err: &told, colour: colour, now: func() time.Time { return noon }}, last: 3}
		for _, ev := range []client.Events{
			{First: 8, Last: 9, Events: someEvents()}, {First: 8, Last: 9}, {First: 8, Last: 10, Events: later},
		} {
			if err := v.show(&ev); err != nil {
				t.Fatal(err)
			}
		}
		plain := strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[31m", "", "\x1b[33m", "").Replace(b.String())
		if (plain != b.String()) != colour {
			t.Errorf("with colours: %v, but they are %q", colour, &b)
		}
		golden(t, "events.txt", plain)
		if got := told.String(); got != "what happened before event 8 is not known any more\n" {
			t.Errorf("said was %q", got)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":            "",
		"plain":       "plain",
		"größe 東京":    "größe 東京",
		"a\nb\tc\rd":  `a\nb\tc\x0dd`,
		"\x1b[2J\x9b": `\x1b[2J\x9b`,
		"\u009b":      `\x9b`,
		"\u202ex":     `\u{202e}x`,
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) is %q, want %q", in, got, want)
		}
	}
	if got := cleanLines("a\x07\nb\n"); got != "a\\x07\nb" {
		t.Errorf("cleanLines gave %q", got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[0m\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := clean(text)
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }) || !utf8.ValidString(got) {
			t.Fatalf("clean(%q) is %q", text, got)
		}
		if again := clean(got); again != got {
			t.Fatalf("clean(%q) is %q, and of that %q", text, got, again)
		}
	})
}

func TestBarFitsItsLine(t *testing.T) {
	o := &output{}
	p := client.Progress{Progress: wire.Progress{Generation: 12, State: wire.UpgradeRunning, Ready: 3, Number: 8}, Message: "[3 of 8 ready] worker 4711 is ready\x1b[2J after 200ms"}
	for width := 1; width < 200; width++ {
		if got := o.bar(p, width); utf8.RuneCountInString(got) >= width || strings.Contains(got, "\x1b") {
			t.Errorf("width %d: %q", width, got)
		}
	}
	for width, want := range map[int]string{
		120: `generation 12 [========>               ] 3/8 ready  worker 4711 is ready\x1b[2J after 200ms`,
		64:  `generation 12 [========>               ] 3/8 ready  worker 471…`,
		40:  `generation 12 [===>         ] 3/8 ready`,
		18:  `3/8 ready`,
		20:  `3/8 ready  worker …`,
	} {
		if got := o.bar(p, width); got != want {
			t.Errorf("width %d:\n got %q\nwant %q", width, got, want)
		}
	}
}

func TestMeter(t *testing.T) {
	for _, tt := range []struct {
		n, of int
		want  string
	}{{0, 4, "    "}, {1, 4, ">   "}, {3, 4, "==> "}, {4, 4, "===="}, {9, 4, "===="}, {-1, 4, "    "}, {0, 0, "===="}} {
		if got := meter(tt.n, tt.of, 4); got != tt.want {
			t.Errorf("meter(%d of %d) is %q, want %q", tt.n, tt.of, got, tt.want)
		}
	}
}

func TestTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m01s",
		3*time.Hour + 4*time.Minute: "3h04m", 49 * time.Hour: "2d01h",
	} {
		if got := age(d); got != want {
			t.Errorf("age(%v) is %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-1: "0s", 1500 * time.Microsecond: "2ms", 1500 * time.Millisecond: "1.5s", 61 * time.Second: "1m01s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) is %q, want %q", d, got, want)
		}
	}
}
