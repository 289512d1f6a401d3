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
	"strings"
)

func main() {
	os.Exit(run(os.Stdin, os.Stdout, os.Getenv("EINHYRNINGSINS_NO_SKIP") == "1"))
}

// event is one line of go test -json; see "go doc test2json".
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build
	Test       string // "": the package as a whole
	Elapsed    float64
	Output     string
}

// summary is what was seen so far.
type summary struct {
	out                     io.Writer
	output                  map[string]*strings.Builder // of each test that runs
	failing                 map[string]bool             // packages with a failed test
	skipped                 []string
	failures                []string // each failed test with what it said
	passed, failed, ignored int
}

func run(in io.Reader, out io.Writer, strict bool) int {
	s := &summary{out: out, output: map[string]*strings.Builder{}, failing: map[string]bool{}}
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
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		if s.output[key] == nil {
			s.output[key] = &strings.Builder{}
		}
		s.output[key].WriteString(e.Output)
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "pass", "fail", "skip":
		s.result(e, key)
		delete(s.output, key)
	}
}

func (s *summary) result(e event, key string) {
	text := ""
	if b := s.output[key]; b != nil {
		text = b.String()
	}
	switch {
	case e.Test == "":
		s.packageResult(e, text)
	case e.Action == "pass":
		s.passed++
	case e.Action == "fail":
		s.failed++
		s.failing[e.Package] = true
		fmt.Fprint(s.out, text)
		s.failures = append(s.failures, "failed: "+e.Package+" "+e.Test+inShort(text))
	case e.Action == "skip":
		s.ignored++
		s.skipped = append(s.skipped, "skipped: "+e.Package+" "+e.Test+": "+reason(text))
	}
}

func (s *summary) packageResult(e event, text string) {
	switch {
	case e.Action == "fail":
		if !s.failing[e.Package] { // not a test: the build, TestMain, a timeout
			s.failed++
			fmt.Fprint(s.out, text)
		}
		fmt.Fprintf(s.out, "FAIL %s (%.1fs)\n", e.Package, e.Elapsed)
	case e.Action == "pass":
		fmt.Fprintf(s.out, "ok   %s (%.1fs)\n", e.Package, e.Elapsed)
	}
}

// inShort is the beginning of each thing that a failed test said, which often
// has the log of a whole daemon behind it.
func inShort(text string) string {
	const most, longest, each = 20, 300, 4 // lines, bytes of a line, lines of one thing
	var short strings.Builder
	left := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "_test.go:") || strings.HasPrefix(line, "FAIL: ") || strings.HasPrefix(line, "panic: ") {
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

// reason is what a test said when it skipped: the line behind its file name.
func reason(text string) string {
	for line := range strings.Lines(text) {
		if _, said, ok := strings.Cut(line, "_test.go:"); ok {
			if _, said, ok := strings.Cut(said, ": "); ok {
				return strings.TrimSpace(said)
			}
		}
	}
	return "it does not say why"
}

func (s *summary) end(strict bool) int {
	// A test that never ended has crashed the binary, and says why itself.
	for key, b := range s.output {
		if !strings.HasSuffix(key, " ") {
			fmt.Fprint(s.out, b.String())
		}
	}
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
