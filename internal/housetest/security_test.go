// SPDX-License-Identifier: GPL-3.0-or-later

package housetest

import (
	"regexp"
	"strings"
	"testing"
)

var namedTest = regexp.MustCompile("`(Test[A-Za-z0-9]+)(?:/([a-z0-9_]+))?`")

// TestSecurityNamesTestsThatExist keeps SECURITY.md true: each test that it names is
// there.
func TestSecurityNamesTestsThatExist(t *testing.T) {
	text, err := read("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	named := namedTest.FindAllStringSubmatch(text, -1)
	if len(named) < 20 {
		t.Fatalf("SECURITY.md names %d tests; has their form changed?", len(named))
	}
	tests, err := files(func(path string) bool { return strings.HasSuffix(path, "_test.go") })
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range tests {
		source, err := read(path)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(source)
	}
	for _, n := range named {
		if n[2] != "" {
			if _, err := read("test/testdata/" + n[2] + ".txtar"); err != nil {
				t.Errorf("SECURITY.md names %s: %v", n[0], err)
			}
		}
		if !strings.Contains(all.String(), "func "+n[1]+"(") {
			t.Errorf("SECURITY.md names %s, which is no test", n[1])
		}
	}
}
