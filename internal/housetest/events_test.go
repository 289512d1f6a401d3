// SPDX-License-Identifier: GPL-3.0-or-later

package housetest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	kindInCode = regexp.MustCompile(`(?m)^\t(?:Note|event)\w+ +(?:Kind )?= "(\w+)"`)
	kindInDoc  = regexp.MustCompile("`(\\w+)`")
)

// TestKindsOfEventsAreDocumented: programs know an event by its kind, so no two have
// the same, and the protocol lists them all.
func TestKindsOfEventsAreDocumented(t *testing.T) {
	var kinds, listed []string
	for _, path := range []string{"internal/pool/notes.go", "internal/master/happened.go"} {
		text, err := read(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range kindInCode.FindAllStringSubmatch(text, -1) {
			if slices.Contains(kinds, m[1]) {
				t.Errorf("%s: two kinds of events are %q", path, m[1])
			}
			kinds = append(kinds, m[1])
		}
	}
	text, err := read("docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(text, "| kinds of events | about |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		for _, m := range kindInDoc.FindAllStringSubmatch(cell, -1) {
			listed = append(listed, m[1])
		}
	}
	kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == "ack_ignored" }) // only the log has it
	slices.Sort(kinds)
	slices.Sort(listed)
	if len(kinds) < 20 || !slices.Equal(kinds, listed) {
		t.Errorf("the kinds of events are\n%q, docs/protocol.md lists\n%q", kinds, listed)
	}
}
