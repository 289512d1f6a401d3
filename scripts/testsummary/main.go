// SPDX-License-Identifier: GPL-3.0-or-later

// Command testsummary makes the output of "go test -json" on its standard input
// readable: a line for each package, the output of what failed, what was
// skipped and why, once more in short what failed and why, since the end is
// what a person sees first, and the counts, subtests included:
//
//	412 passed, 0 failed, 2 skipped
//
// With EINHYRNINGSINS_NO_SKIP=1 what was skipped has failed, for machines that
// are meant to have everything. It exits with 1 when something failed, or when
// there was no test at all.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	os.Exit(run(os.Stdin, os.Stdout, os.Getenv("EINHYRNINGSINS_NO_SKIP") == "1"))
}

// event is one line of go test -json; see "go doc test2json".
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build
	FailedBuild string // the ImportPath of the build that has failed
	Test        string // "": the package as a whole
	Elapsed     float64
	Output      string
}

// test names a test, or a package as a whole when name is "".
type test struct{ pkg, name string }

func (t test) String() string { return strings.TrimSpace(t.pkg + " " + t.name) }

// summary is what was seen so far.
type summary struct {
	out                     io.Writer
	output                  map[test]*strings.Builder   // of each test that has not ended
	builds                  map[string]*strings.Builder // the output of each build, by ImportPath
	running                 []test                      // in the order in which they began
	paused                  map[test]bool               // those of them that wait for their turn
	failing                 map[string]bool             // packages with a failed test
	skipped                 []string
	failures                []string // each failed test with what it said
	passed, failed, ignored int
}

func run(in io.Reader, out io.Writer, strict bool) int {
	s := &summary{out: out, output: map[test]*strings.Builder{}, builds: map[string]*strings.Builder{}, paused: map[test]bool{}, failing: map[string]bool{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if err != nil {
			break
		}
	}
	return s.end(strict)
}

func (s *summary) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		fmt.Fprintf(s.out, "%s\n", strings.TrimRight(string(line), "\n")) // of go itself
		return
	}
	t := test{e.Package, e.Test}
	switch e.Action {
	case "run":
		s.running = append(s.running, t)
	case "pause", "cont":
		s.paused[t] = e.Action == "pause"
	case "output":
		add(s.output, t, e.Output)
	case "build-output":
		fmt.Fprint(s.out, e.Output)
		add(s.builds, e.ImportPath, e.Output)
	case "pass", "fail", "skip":
		s.result(e, t)
	}
}

func add[K comparable](texts map[K]*strings.Builder, key K, text string) {
	if texts[key] == nil {
		texts[key] = &strings.Builder{}
	}
	texts[key].WriteString(text)
}

// take returns what a test has said, and forgets that it runs.
func (s *summary) take(t test) (text string) {
	if b := s.output[t]; b != nil {
		text = b.String()
	}
	delete(s.output, t)
	delete(s.paused, t)
	s.running = slices.DeleteFunc(s.running, func(other test) bool { return other == t })
	return text
}

func (s *summary) result(e event, t test) {
	text := s.take(t)
	switch {
	case e.Test == "":
		s.packageResult(e, text)
	case e.Action == "pass":
		s.passed++
	case e.Action == "fail":
		s.fail(t, "", text, inShort(text))
	case e.Action == "skip":
		s.ignored++
		s.skipped = append(s.skipped, "skipped: "+t.String()+": "+reason(text))
	}
}

// fail counts a failure, prints all that was said, and keeps the short of it.
func (s *summary) fail(t test, how, text, short string) {
	s.failed++
	s.failing[t.pkg] = true
	fmt.Fprint(s.out, text)
	s.failures = append(s.failures, "failed: "+t.String()+how+short)
}

func (s *summary) packageResult(e event, text string) {
	if e.Action == "fail" {
		s.unended(e.Package)
		short := inShort(text)
		if b := s.builds[e.FailedBuild]; b != nil {
			short = inShort(b.String()) // which was printed
		}
		// What is wrong may be no test: the build, TestMain, what was left behind.
		if !s.failing[e.Package] || strings.Contains(short, leftBehind) {
			s.fail(test{pkg: e.Package}, "", text, short)
		}
		fmt.Fprintf(s.out, "FAIL %s (%.1fs)\n", e.Package, e.Elapsed)
	} else if e.Action == "pass" {
		fmt.Fprintf(s.out, "ok   %s (%.1fs)\n", e.Package, e.Elapsed)
	}
}

// unended makes failures of the tests that ran when their package ended, of
// every package if pkg is "": it timed out, or one of them ended the process.
func (s *summary) unended(pkg string) {
	for _, t := range slices.Clone(s.running) {
		if pkg != "" && t.pkg != pkg {
			continue
		}
		paused := s.paused[t]
		text := s.take(t)
		if crash := crashOf(text); crash != "" || !paused {
			s.fail(t, ": did not end", text, crash)
		}
	}
}

// crashOf is why a process ended, as the runtime says it, up to the first
// empty line, and what testexec says of it.
func crashOf(text string) string {
	const most = 20
	var short strings.Builder
	crash := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		crash = line != "" && (crash || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "SIG"))
		if (crash || strings.HasPrefix(line, leftBehind)) && strings.Count(short.String(), "\n") < most {
			fmt.Fprintf(&short, "\n\t%.*s", longest, line)
		}
	}
	return short.String()
}

// longest is how much of a line is shown at the end, in bytes.
const longest = 300

// leftBehind begins what scripts/testexec says.
const leftBehind = "testexec: "

// begin matches the first line of each thing that is wrong: with a test, a
// process, what a package left behind, a build.
var begin = regexp.MustCompile(`_test\.go:|^FAIL: |^panic: |^` + leftBehind + `|^[^ ]+\.go:\d+:`)

// inShort is the beginning of each thing that a failed test said, which often
// has the log of a whole daemon behind it.
func inShort(text string) string {
	const most, each = 20, 4 // lines, lines of one thing
	var short strings.Builder
	left := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if begin.MatchString(line) {
			left = each
		}
		if left == 0 || strings.Count(short.String(), "\n") == most {
			continue
		}
		left--
		fmt.Fprintf(&short, "\n\t%.*s", longest, line)
	}
	return short.String()
}

// why matches what a test says when it skips, behind the name of its file; a
// script skips by a line of testscript's cmd.go.
var why = regexp.MustCompile(`(?m)^ +(?:\w+_test|cmd)\.go:\d+: (.+)$`)

// reason is the last thing that a test said before it skipped.
func reason(text string) string {
	if said := why.FindAllStringSubmatch(text, -1); len(said) > 0 {
		return said[len(said)-1][1]
	}
	return "it does not say why"
}

func (s *summary) end(strict bool) int {
	s.unended("") // go test itself was ended
	for _, line := range s.skipped {
		fmt.Fprintln(s.out, line)
	}
	for _, line := range s.failures {
		fmt.Fprintln(s.out, line)
	}
	if strict && s.ignored > 0 {
		fmt.Fprintf(s.out, "%d skipped: nothing may be skipped here\n", s.ignored)
		s.failed += s.ignored
		s.ignored = 0
	}
	fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.ignored)
	if s.failed > 0 || s.passed == 0 {
		return 1
	}
	return 0
}
