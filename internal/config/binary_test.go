// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"os"
	"path/filepath"
	"testing"
)

// The binary is found by the name it was called by, links and all, but a name
// that leads to another program, or nowhere, is only a name.
func TestBinaryPath(t *testing.T) {
	running, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	link := filepath.Join(dir, "current")
	if err := os.Symlink(running, link); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "server")
	if err := os.WriteFile(other, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	environ := []string{"PATH=" + dir}
	for name, want := range map[string]string{
		link: link, "current": link, running: running,
		other: running, "server": running, "nowhere": running, "": running,
	} {
		if got := BinaryPath(name, environ); got != want {
			t.Errorf("%q leads to %s, want %s", name, got, want)
		}
	}
}
