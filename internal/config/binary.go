// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"os"
	"path/filepath"
	"strings"
)

// BinaryPath is where the binary is that name stands for, when it is called as
// from a shell with this environment; links are left as they are, so that one
// that is switched leads elsewhere. argv[0] can be any word, even the name of
// another program: it only counts if it leads to the file that we run.
func BinaryPath(name string, environ []string) string {
	running, _ := os.Executable()
	running = strings.TrimSuffix(running, " (deleted)")
	path, err := FindProgram(name, PathOf(environ))
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil || differ(path, running) {
		return running
	}
	return path
}

// differ tells whether two paths lead to different files for sure.
func differ(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return true
	}
	other, err := os.Stat(b)
	return err == nil && !os.SameFile(one, other)
}
