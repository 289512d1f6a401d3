// SPDX-License-Identifier: GPL-3.0-or-later

package housetest

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The limits of what is read at once.
const (
	maxFile     = 400 // lines
	maxFunction = 60  // lines
)

func TestFilesAndFunctionsAreShort(t *testing.T) {
	for _, f := range parsed(t) {
		if f.lines >= maxFile {
			t.Errorf("%s has %d lines; the limit is %d: is there a second thing in it?", f.path, f.lines, maxFile-1)
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			from, to := f.fset.Position(fn.Pos()).Line, f.fset.Position(fn.End()).Line
			if n := to - from + 1; n >= maxFunction {
				t.Errorf("%s:%d: %s has %d lines; the limit is %d", f.path, from, fn.Name.Name, n, maxFunction-1)
			}
		}
	}
}

// uses calls f for every use of a package's name, as in time.Sleep.
func uses(file goFile, f func(pkg, name string, at token.Pos)) {
	ast.Inspect(file.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok {
				f(x.Name, sel.Sel.Name, sel.Pos())
			}
		}
		return true
	})
}

// idle are the rooms that may not wake up while nothing happens.
var idle = []string{"cmd/einhyrningsins", "internal/control", "internal/keeper", "internal/link", "internal/logging", "internal/master", "internal/memory", "internal/pool"}

func TestNothingTicks(t *testing.T) {
	for _, file := range parsed(t) {
		if file.test || !slices.Contains(idle, file.dir) {
			continue
		}
		uses(file, func(pkg, name string, at token.Pos) {
			if pkg == "time" && (name == "NewTicker" || name == "Tick" || name == "Sleep") {
				t.Errorf("%s: idle costs nothing: no time.%s", file.fset.Position(at), name)
			}
		})
	}
}

func TestPoolReadsNoClockAndStartsNothing(t *testing.T) {
	for _, file := range parsed(t) {
		if file.test || file.dir != "internal/pool" {
			continue
		}
		uses(file, func(pkg, name string, at token.Pos) {
			clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}
			if pkg == "time" && slices.Contains(clock, name) {
				t.Errorf("%s: time comes in with the events: no time.%s", file.fset.Position(at), name)
			}
		})
		ast.Inspect(file.ast, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
				t.Errorf("%s: the pool starts nothing and waits for nothing", file.fset.Position(n.Pos()))
			}
			return true
		})
	}
}

// TestNobodyPanics: nothing that a person or a worker can cause ends in a
// stack trace, and a process ends in its main function only.
func TestNobodyPanics(t *testing.T) {
	for _, file := range parsed(t) {
		if file.test || !strings.HasPrefix(file.dir, "cmd/") && !strings.HasPrefix(file.dir, "internal/") && file.dir != "worker" && file.dir != "client" {
			continue
		}
		ast.Inspect(file.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" {
				t.Errorf("%s: return an error instead of a panic", file.fset.Position(n.Pos()))
			}
			return true
		})
		uses(file, func(pkg, name string, at token.Pos) {
			if pkg == "os" && name == "Exit" && !strings.HasSuffix(file.path, "/main.go") {
				t.Errorf("%s: only main ends the process", file.fset.Position(at))
			}
		})
	}
}

// TestTestsAssert finds tests that cannot fail: those that do nothing with
// their t but what leaves no verdict.
func TestTestsAssert(t *testing.T) {
	silent := []string{"Parallel", "Helper", "Log", "Logf", "Skip", "Skipf", "SkipNow", "Setenv", "TempDir", "Context", "Cleanup", "Name", "Chdir"}
	for _, file := range parsed(t) {
		for _, d := range file.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !file.test || !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") || fn.Name.Name == "TestMain" || len(fn.Type.Params.List) != 1 {
				continue
			}
			judges := false
			quiet := map[*ast.Ident]bool{}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && slices.Contains(silent, n.Sel.Name) {
						quiet[x] = true
					}
				case *ast.Ident:
					judges = judges || n.Name == "t" && !quiet[n]
				}
				return true
			})
			if !judges {
				t.Errorf("%s: %s asserts nothing", file.fset.Position(fn.Pos()), fn.Name.Name)
			}
		}
	}
}

// words are those that do not occur, and what to say instead. Each begins with
// what all that match it contain, in lower case: that is quick to look for.
var words = []struct {
	contain []string
	pattern *regexp.Regexp
	instead string
}{
	{[]string{"slave"}, regexp.MustCompile(`(?i)\bslaves?\b`), "worker"},
	{[]string{"whitelist", "blacklist"}, regexp.MustCompile(`(?i)\b(white|black)lists?\b`), "allowed, refused"},
	{[]string{"acknowledg"}, regexp.MustCompile(`(?i)\backnowledgements? timeout\b`), "ACK timeout"},
	{[]string{"command socket"}, regexp.MustCompile(`(?i)\bcommand socket path\b`), "control socket"},
	{[]string{"todo", "fixme", "xxx", "hack"}, regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`), "the thing itself, or an entry among the limits in README.md"},
	{[]string{"/work/", "/root/"}, regexp.MustCompile(`(^|[\s"'(` + "`" + `])/(work|root)/`), "a path that everybody has"},
}

// wordsOfOthers are files that speak of other programs in their words.
var wordsOfOthers = []string{"README.md", "internal/housetest/code_test.go"}

func TestWords(t *testing.T) {
	list, err := files(func(path string) bool {
		return (isText(path) || strings.HasSuffix(path, ".go")) && !slices.Contains(wordsOfOthers, path)
	})
	if err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	for _, path := range list {
		text, err := read(path)
		if err != nil {
			t.Fatal(err)
		}
		lower := strings.ToLower(text)
		for _, w := range words {
			if !slices.ContainsFunc(w.contain, func(part string) bool { return strings.Contains(lower, part) }) {
				continue
			}
			for i, line := range strings.Split(text, "\n") {
				if found := w.pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %q is not a word of this house; say %s", path, i+1, strings.TrimSpace(found), w.instead)
				}
			}
		}
	}
}

func isText(path string) bool {
	return strings.HasSuffix(path, ".md") || strings.HasSuffix(path, ".1") || strings.HasSuffix(path, ".txtar") ||
		strings.HasSuffix(path, ".py") || strings.HasSuffix(path, ".rb") || strings.HasSuffix(path, ".js") || strings.HasPrefix(path, "scripts/") || path == "Makefile" || path == ".ci/run"
}
