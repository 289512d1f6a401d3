// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strings"
	"testing"
)

const (
	passing = `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}
{"Action":"pass","Package":"p","Elapsed":0.2}
`
	skipping = `{"Action":"output","Package":"p","Test":"TestS","Output":"    a_test.go:7: no shell here: none\n"}
{"Action":"skip","Package":"p","Test":"TestS"}
`
	failing = `{"Action":"output","Package":"q","Test":"TestB","Output":"    b_test.go:3: it broke\n"}
{"Action":"fail","Package":"q","Test":"TestB"}
{"Action":"fail","Package":"q"}
`
	broken = `{"Action":"build-output","ImportPath":"r","Output":"r.go:1: no\n"}
{"Action":"fail","Package":"r"}
`
	crashed = `{"Action":"output","Package":"c","Test":"TestC","Output":"panic: oh\n"}
{"Action":"fail","Package":"c"}
`
)

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		name, in string
		strict   bool
		status   int
		want     []string
	}{
		{"all well", passing, true, 0, []string{"ok   p (0.2s)", "1 passed, 0 failed, 0 skipped"}},
		{"a skip", passing + skipping, false, 0, []string{"skipped: p TestS: no shell here: none", "1 passed, 0 failed, 1 skipped"}},
		{"a skip that may not be", passing + skipping, true, 1, []string{"1 passed, 1 failed, 0 skipped"}},
		{"a failure", passing + failing, false, 1, []string{"it broke", "FAIL q", "\nfailed: q TestB\n\tb_test.go:3: it broke\n1 passed, 1 failed, 0 skipped"}},
		{"a build that fails", passing + broken, false, 1, []string{"r.go:1: no", "FAIL r", "1 passed, 1 failed"}},
		{"a crash", passing + crashed, false, 1, []string{"panic: oh", "1 passed, 1 failed"}},
		{"no test", "", false, 1, []string{"0 passed"}},
		{"other lines", "go: no such module\n" + passing, false, 0, []string{"go: no such module"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			if status := run(strings.NewReader(c.in), &out, c.strict); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("no %q in:\n%s", w, out.String())
				}
			}
		})
	}
}

func TestInShort(t *testing.T) {
	log := strings.Repeat("\n        a line of a log", 100)
	got := inShort("=== RUN   TestX\n    x_test.go:1: lost 1\n          how" + log + "\n    x_test.go:2: " + strings.Repeat("x", 1000) + "\n--- FAIL: TestX\n")
	if !strings.HasPrefix(got, "\n\tx_test.go:1: lost 1\n\thow\n\ta line") {
		t.Errorf("the first words are missing: %q", got)
	}
	if !strings.Contains(got, "\n\tx_test.go:2: xxx") || len(got) > 700 {
		t.Errorf("want all that was said, in short, got %d bytes: %q", len(got), got)
	}
}
