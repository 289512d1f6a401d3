// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestHistoryPath(t *testing.T) {
	for _, tt := range []struct{ state, home, want string }{
		{"/s", "/h", "/s/einhyrningsins/history"},
		{"", "/h", "/h/.local/state/einhyrningsins/history"},
		{"relative", "/h", "/h/.local/state/einhyrningsins/history"},
		{"", "", ""},
		{"", "relative", ""},
	} {
		got, err := historyPath(env(map[string]string{"XDG_STATE_HOME": tt.state, "HOME": tt.home}))
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("state %q, home %q: got %q, %v; want %q", tt.state, tt.home, got, err, tt.want)
		}
	}
}

func TestHistoryIsKept(t *testing.T) {
	vars := env(map[string]string{"HOME": t.TempDir()})
	h, err := openHistory(vars)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]bool{"": false, "  \t": false, "a\nb": false} {
		if h.add(line) != want {
			t.Errorf("add(%q) is %v", line, !want)
		}
	}
	for _, line := range []string{"inc", "inc ", "status", "inc"} {
		h.add(line)
	}
	again, err := openHistory(vars)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"inc", "status", "inc"}, again.lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	path, _ := historyPath(vars)
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", name, fi.Mode(), err, want)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	again.add("dec")
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("after others could read it: mode %v, %v; want 0600", fi.Mode(), err)
	}
}

func TestHistoryIsCut(t *testing.T) {
	dir := t.TempDir()
	vars := env(map[string]string{"XDG_STATE_HOME": dir})
	path, _ := historyPath(vars)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range 2*historyLimit + 1 {
		fmt.Fprintf(&b, "inc %d\n", i+1)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h, err := openHistory(vars)
		if err != nil || len(h.lines) != historyLimit || h.lines[historyLimit-1] != fmt.Sprintf("inc %d", 2*historyLimit+1) {
			t.Fatalf("%d lines, %v; want the last %d", len(h.lines), err, historyLimit)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("files left: %v, %v; want the history alone", left, err)
	}
}

func TestHistoryWithoutAPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, vars := range []map[string]string{nil, {"HOME": file}} {
		h, err := openHistory(env(vars))
		if err == nil || !h.add("inc") || len(h.lines) != 1 {
			t.Errorf("%v: got %v and lines %q; want an error and a history that still works", vars, err, h.lines)
		}
	}
}
