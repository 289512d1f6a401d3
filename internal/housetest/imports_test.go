// SPDX-License-Identifier: GPL-3.0-or-later

package housetest

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room says what the packages of a directory may import.
type room struct {
	dir    string   // a trailing /... includes what is below
	ours   []string // of this module
	others []string // of other modules
	why    string   // why no more
}

const sys = "golang.org/x/sys/unix"

// rooms lists every directory with Go code. The first that fits counts.
var rooms = []room{
	{"internal/pool", nil, nil, "it is pure: events and a time go in, actions come out, so that every state can be tested without a process"},
	{"internal/bind", []string{"internal/claim"}, []string{sys}, "it knows addresses and sockets only, and of paths what is claimed on disk"},
	{"internal/link", nil, []string{sys}, "both sides of the link import it, so it can know neither"},
	{"internal/wire", nil, nil, "both sides of the control socket import it, under a licence of its own (MIT)"},
	{"internal/childenv", nil, nil, "both sides of the contract with workers import it, under a licence of its own (MIT)"},
	{"internal/version", nil, nil, "it is one string"},
	{"internal/entry", nil, nil, "it is a few instructions before there is Go"},
	{"internal/tmpdir", nil, []string{sys}, "daemon and ctl have to find the same directory; it knows neither"},
	{"internal/logging", nil, []string{sys}, "keeper and master log alike; it knows neither, and no options: it takes its own"},
	{"internal/ready", nil, nil, "it is a table: config, keeper and master read it, and it knows none of them"},
	{"internal/config", []string{"internal/bind", "internal/childenv", "internal/ready", "internal/tmpdir"}, []string{"github.com/google/shlex", "github.com/spf13/pflag", sys}, "options become plain data; what acts on them is elsewhere"},
	{"internal/look", []string{"internal/config", "internal/link"}, []string{sys}, "it reads what the operator wrote, in a process of its own, and knows neither keeper nor master"},
	{"internal/einhorn", []string{"internal/config", "internal/wire"}, []string{"github.com/goccy/go-yaml/ast", "github.com/goccy/go-yaml/lexer", "github.com/goccy/go-yaml/parser"}, "it translates, and decides nothing; the one place that knows YAML, of which it takes the parser only: no reflection, no decoder"},
	{"internal/control", []string{"internal/wire", "internal/einhorn"}, []string{sys}, "it decides nothing: what a command means is the master's"},
	{"internal/notify", nil, []string{sys}, "keeper and master use its two ends; it knows neither, and decides nothing"},
	{"internal/platform", nil, []string{sys}, "a room at the bottom: it asks the operating system, and remembers nothing"},
	{"internal/memory", nil, []string{sys}, "a room at the bottom: it knows the runtime, and nothing of what is done"},
	{"internal/claim", nil, []string{sys}, "a room at the bottom: it knows paths, and nothing of processes"},
	{"internal/start", []string{"internal/childenv", "internal/config", "internal/link"}, []string{sys}, "it starts what the keeper has decided, and neither waits, signals nor reaps"},
	{"internal/keeper", []string{"internal/bind", "internal/childenv", "internal/claim", "internal/config", "internal/link", "internal/memory", "internal/notify", "internal/platform", "internal/ready", "internal/start", "internal/version"}, []string{sys}, "it decides nothing and parses nothing that a client sends, so that no client can bring it down"},
	{"internal/master", []string{"internal/config", "internal/control", "internal/link", "internal/memory", "internal/notify", "internal/pool", "internal/version", "internal/wire", "internal/einhorn"}, []string{sys}, "it owns no process and no socket: those are the keeper's, beyond the link"},
	{"cmd/einhyrningsins", []string{"internal/config", "internal/entry", "internal/keeper", "internal/logging", "internal/look", "internal/master", "internal/memory", "internal/platform", "internal/ready", "internal/version"}, nil, "it only puts the rooms together; and the daemon has no business with cobra"},
	{"cmd/einhyrningsinsctl", []string{"client", "internal/tmpdir", "internal/version", "internal/wire"}, []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/chzyer/readline", "github.com/google/shlex", sys}, "it is a client like any other: what it can do, the client package can"},
	{"worker", []string{"internal/childenv"}, []string{sys}, "programs of others link it: MIT, and next to nothing comes with it"},
	{"client", []string{"internal/wire"}, []string{sys}, "programs of others link it: MIT, and next to nothing comes with it"},
	{"examples/...", []string{"worker"}, []string{"github.com/coreos/go-systemd/v22/activation", "github.com/coreos/go-systemd/v22/daemon", "github.com/zenazn/goji/bind", "github.com/zenazn/goji/graceful"}, "an example uses what everybody can use"},
	{"bench/...", []string{"bench/...", "client", "worker", "internal/childenv", "internal/wire"}, []string{sys}, "it measures from outside, as clients and workers see it"},
	{"test/...", []string{"test/...", "bench/load", "client", "worker", "internal/childenv", "internal/wire"}, []string{sys}, "whole-program tests look from outside"},
	{"scripts/...", nil, nil, "a script stands alone"},
	{"internal/housetest", []string{"internal/config"}, nil, "it reads the source as text, and the list of options"},
}

func TestImports(t *testing.T) {
	list := parsed(t)
	for _, f := range list {
		r := roomOf(f.dir)
		if r == nil {
			t.Errorf("%s: directory %s has no rule; add one to rooms and to docs/design.md", f.path, f.dir)
			continue
		}
		if f.test {
			continue
		}
		for _, imported := range importsOf(f) {
			if !r.allows(imported) {
				t.Errorf("%s must not import %s: %s", f.path, imported, r.why)
			}
		}
	}
}

const netIsLarge = "the runtime waits for an os.File just as well, and what is not used of net is never paged in"

// bans are packages of the standard library that a room must do without.
var bans = []struct {
	dir, pkg, why string
}{
	{"internal/pool", "os", "the pool knows no operating system"},
	{"internal/pool", "os/signal", "the pool knows no operating system"},
	{"internal/pool", "net", "the pool knows no network"},
	{"internal/pool", "syscall", "the pool knows no operating system; signals are numbers there"},
	{"internal/pool", "sync", "the pool belongs to one goroutine"},
	{"internal/pool", "sync/atomic", "the pool belongs to one goroutine"},
	{"internal/pool", "context", "nothing in the pool waits"},
	{"internal/pool", "log", "the pool returns notes"},
	{"internal/pool", "log/slog", "the pool returns notes"},
	{"internal/pool", "math/rand", "the same events must lead to the same actions"},
	{"internal/pool", "math/rand/v2", "the same events must lead to the same actions"},
	{"internal/keeper", "os/exec", "it gives a child more than a worker may have, and reaps on its own"},
	{"internal/keeper", "net", "net.Listen would make the shared sockets non-blocking for all"},
	{"internal/bind", "os/exec", "it only binds"},
	{"internal/link", "net", netIsLarge},
	{"internal/control", "net", netIsLarge},
	{"internal/master", "net", netIsLarge},
	{"internal/master", "os/exec", "only the keeper starts processes"},
	{"internal/control", "os/exec", "only the keeper starts processes"},
}

func TestBannedPackages(t *testing.T) {
	for _, f := range parsed(t) {
		if f.test {
			continue
		}
		for _, imported := range importsOf(f) {
			for _, b := range bans {
				if f.dir == b.dir && imported == b.pkg {
					t.Errorf("%s must not import %s: %s", f.path, imported, b.why)
				}
			}
		}
	}
}

// TestRulesAreUsed fails for a rule about a directory that is gone.
func TestRulesAreUsed(t *testing.T) {
	list := parsed(t)
	for _, r := range rooms {
		if !slices.ContainsFunc(list, func(f goFile) bool { return within(f.dir, r.dir) }) {
			t.Errorf("there is a rule for %s, but no Go file", r.dir)
		}
	}
}

func parsed(t *testing.T) []goFile {
	t.Helper()
	list, err := goFiles()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 100 {
		t.Fatalf("only %d Go files found: is %s the module?", len(list), root)
	}
	return list
}

func roomOf(dir string) *room {
	for i := range rooms {
		if within(dir, rooms[i].dir) {
			return &rooms[i]
		}
	}
	return nil
}

// within tells whether dir is what a rule speaks of.
func within(dir, rule string) bool {
	base, below := strings.CutSuffix(rule, "/...")
	return dir == base || below && strings.HasPrefix(dir, base+"/")
}

func (r *room) allows(imported string) bool {
	if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
		return slices.ContainsFunc(r.ours, func(rule string) bool { return within(ours, rule) })
	}
	first, _, _ := strings.Cut(imported, "/")
	isStandard := !strings.Contains(first, ".")
	return isStandard || slices.Contains(r.others, imported)
}

func importsOf(f goFile) []string {
	var list []string
	for _, spec := range f.ast.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			list = append(list, path.Clean(name))
		}
	}
	return list
}
