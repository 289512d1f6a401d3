// SPDX-License-Identifier: GPL-3.0-or-later

package housetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// manuals are the paths from root of our man pages.
func manuals(t *testing.T) []string {
	t.Helper()
	list, err := files(func(path string) bool { return strings.HasPrefix(path, "docs/man/") })
	if err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	return list
}

// passedOver is what the linter says, and a reader never sees: the length
// of source lines, and which manuals are installed on this machine.
var passedOver = regexp.MustCompile(`STYLE: (input text line longer than|referenced manual not found)`)

func TestManualsLint(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("mandoc is not installed")
	}
	for _, path := range manuals(t) {
		for _, line := range lint(t, mandoc, filepath.Join(root, path)) {
			t.Error(line)
		}
		if text, err := exec.Command(mandoc, "-T", "ascii", filepath.Join(root, path)).Output(); err != nil || len(text) == 0 {
			t.Errorf("mandoc cannot show %s: %v", path, err)
		}
	}
}

// TestManualsLintFinds shows that a fault of the page is found, and that what is
// missing on this machine is not.
func TestManualsLintFinds(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("mandoc is not installed")
	}
	page := filepath.Join(t.TempDir(), "page.1")
	text := ".Dd $Mdocdate$\n.Dt PAGE 1\n.Os\n.Sh NAME\n.Nm page\n.Nd is wrong\n.Sh SEE ALSO\n.Xr nowhere 1 ,\n.Xr sh 1\n.Bl -tag\n"
	if err := os.WriteFile(page, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	lines := strings.Join(lint(t, mandoc, page), "")
	if !strings.Contains(lines, "Bl") || strings.Contains(lines, "nowhere") || strings.Contains(lines, "sh(1)") {
		t.Errorf("want a word about the list, and none about manuals of this machine:\n%s", lines)
	}
}

// lint returns what mandoc says against a page. MANPATH leads nowhere: what it
// says of other manuals depends on the machine, on its index of them, too.
func lint(t *testing.T, mandoc, page string) (lines []string) {
	t.Helper()
	cmd := exec.Command(mandoc, "-T", "lint", "-W", "style", page)
	cmd.Env = append(os.Environ(), "MANPATH=/nonexistent")
	out, err := cmd.CombinedOutput() // the status counts what is passed over, too
	if err != nil && len(out) == 0 {
		t.Fatalf("cannot run %s: %v", mandoc, err)
	}
	for line := range strings.Lines(string(out)) {
		if !passedOver.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

var reference = regexp.MustCompile(`(?m)^\.Xr (ein\w+) (\d)`)

// TestManualsOfOurs: where one of our manuals refers to another, it is there.
func TestManualsOfOurs(t *testing.T) {
	found := 0
	for _, path := range manuals(t) {
		text, err := read(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			found++
			if _, err := read("docs/man/" + m[1] + "." + m[2]); err != nil {
				t.Errorf("%s refers to %s(%s), which is none of ours: %v", path, m[1], m[2], err)
			}
		}
	}
	if found == 0 {
		t.Error("no manual refers to another")
	}
}
