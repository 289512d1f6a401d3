// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// statesFile has a row for every pair of a state and an event.
const statesFile = "../../docs/states.md"

// stage is a pool that was brought to a state, and the worker that it is about.
type stage struct {
	k      *fakeKeeper
	p      *Pool
	now    Time
	serial uint64
}

func (s *stage) step(events ...Event) *Output {
	out := s.p.Step(s.now, events...)
	for _, m := range messages(out) {
		if err := s.k.take(s.now, m); err != nil {
			panic(err) // the simulation shows that it does not happen
		}
	}
	return out
}

func (s *stage) up(serials ...uint64) {
	for _, serial := range serials {
		s.step(s.k.spawn(serial, s.now))
	}
}

func (s *stage) ack(serials ...uint64) {
	for _, serial := range serials {
		s.step(Acked{serial})
	}
}

func (s *stage) exit(serial uint64) *Output {
	return s.step(s.k.end(serial, Exited{Serial: serial, At: s.now, How: "exited with status 1"}))
}

// tick lets the next deadline come.
func (s *stage) tick() *Output {
	if at, ok := s.p.Deadline(); ok {
		s.now = max(s.now, at)
	}
	return s.step(Tick{})
}

// upgrade begins one, and its look ends well.
func (s *stage) upgrade(fleet bool) {
	s.step(StartUpgrade{Fleet: fleet})
	s.step(s.k.look(true)...)
}

func (s *stage) restart() *Output {
	p, events, err := s.k.restore(s.p.set, s.p.st.Number, true)
	if err != nil {
		panic(err)
	}
	s.p = p
	return s.step(events...)
}

// newStage has two workers wanted. The first is ready, the second ordered.
func newStage(change func(*Settings)) *stage {
	set := Settings{
		AckManual: true, AckTime: time.Second, AckTimeout: 30 * time.Second,
		Retries: 10, UpgradeRetries: 3, Seconds: time.Second, MaxUnacked: 2,
		GracefulSignal: 12, DrainTimeout: 5 * time.Second, KillTimeout: 10 * time.Second,
	}
	change(&set)
	s := &stage{k: newFakeKeeper(), p: New(set, 2, 1), now: start, serial: 2}
	s.step(Begun{})
	s.up(1)
	s.ack(1)
	if !set.AckManual {
		s.now += set.AckTime
		s.step(Tick{})
	}
	return s
}

func manual(*Settings)      {}
func timed(set *Settings)   { set.AckManual = false }
func patient(set *Settings) { set.AckTimeout = 0 }
func watched(set *Settings) { set.Watchdog = 10 * time.Second }

func brought(change func(*Settings), by func(*stage)) func() *stage {
	return func() *stage {
		s := newStage(change)
		by(s)
		return s
	}
}

// pairTest is one half of docs/states.md: sections by state, rows by event.
type pairTest struct {
	states []namedStage
	events []namedEvent
	tell   func(*stage, func() *Output) string
}

type namedStage struct {
	name string
	make func() *stage
}

type namedEvent struct {
	name string
	do   func(*stage) *Output
}

// TestStates feeds every event to a pool in every state, and compares what
// comes of it with the row of docs/states.md. With -update it rewrites the
// outcomes; the words beside them are for you to write.
func TestStates(t *testing.T) {
	d := readStates(t)
	for _, half := range []pairTest{ofWorkers, ofPools} {
		for _, state := range half.states {
			for _, event := range half.events {
				s := state.make()
				got := half.tell(s, func() *Output { return event.do(s) })
				d.check(t, state.name, event.name, got)
			}
		}
	}
	d.finish(t)
}

// TestEveryEventHasRows finds the events in the source, so that a new one
// can't be left out of docs/states.md.
func TestEveryEventHasRows(t *testing.T) {
	inTable := map[string]bool{}
	for _, e := range []Event{
		Begun{},
		Spawned{},
		SpawnFailed{},
		Exited{},
		Acked{},
		Tick{},
		SetNumber{},
		StartUpgrade{},
		Looked{},
		LookFailed{},
		StopFor{},
		Die{},
		SetSettings{},
		Leaving{},
		Alive{},
		Faulty{},
		Watched{},
		Extended{},
		Said{},
		Refused{},
	} {
		inTable[reflect.TypeOf(e).Name()] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Name.Name != "apply" || f.Recv == nil {
				continue
			}
			found++
			if name := f.Recv.List[0].Type.(*ast.Ident).Name; !inTable[name] {
				t.Errorf("the event %s has no rows in %s: add it to ofWorkers or ofPools", name, statesFile)
			}
		}
	}
	if found != len(inTable) {
		t.Errorf("found %d events, expected %d", found, len(inTable))
	}
}

// statesDoc is docs/states.md: its lines, and where the outcome of a pair is.
type statesDoc struct {
	lines []string
	row   map[string]int // state and event → line
	seen  map[string]bool
}

func readStates(t *testing.T) *statesDoc {
	data, err := os.ReadFile(statesFile)
	if err != nil {
		t.Fatal(err)
	}
	d := &statesDoc{lines: strings.Split(string(data), "\n"), row: map[string]int{}, seen: map[string]bool{}}
	state := ""
	for i, line := range d.lines {
		if name, ok := strings.CutPrefix(line, "### "); ok {
			state = name
		}
		if cells := cellsOf(line); state != "" && len(cells) == 3 && cells[0] != "event" && !strings.HasPrefix(cells[0], "--") {
			d.row[state+" × "+cells[0]] = i
		}
	}
	return d
}

func cellsOf(line string) []string {
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

func (d *statesDoc) check(t *testing.T, state, event, got string) {
	pair := state + " × " + event
	i, ok := d.row[pair]
	if !ok {
		t.Errorf("%s has no row for %s; it would be\n| %s | %s | |", statesFile, pair, event, got)
		return
	}
	d.seen[pair] = true
	cells := cellsOf(d.lines[i])
	switch want := cells[1]; {
	case want == got:
	case *update:
		d.lines[i] = strings.TrimRight(fmt.Sprintf("| %s | %s | %s", event, got, cells[2]), " ") + " |"
	default:
		t.Errorf("%s: the pool makes of it %q, %s says %q", pair, got, statesFile, want)
	}
}

func (d *statesDoc) finish(t *testing.T) {
	for pair := range d.row {
		if !d.seen[pair] {
			t.Errorf("%s has a row for %s, which is no pair of a state and an event", statesFile, pair)
		}
	}
	if *update {
		if err := os.WriteFile(statesFile, []byte(strings.Join(d.lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
