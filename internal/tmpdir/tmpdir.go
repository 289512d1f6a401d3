// SPDX-License-Identifier: GPL-3.0-or-later

// Package tmpdir finds the directory of temporary files as Ruby does, and with
// it einhorn: that is where einhorn has its control socket, and where its shell
// looks for it, so that both have to find the same.
package tmpdir

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Find returns the first of $TMPDIR, $TMP, $TEMP, /tmp and the current directory
// that is a directory, that we can write to, and where nobody else can remove
// what is ours. environ is as [os.Environ] has it.
func Find(environ []string) (string, bool) {
	var list []string
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		for _, kv := range environ {
			if dir, ok := strings.CutPrefix(kv, name+"="); ok {
				list = append(list, dir)
				break
			}
		}
	}
	for _, dir := range append(list, "/tmp", ".") {
		if path, err := filepath.Abs(dir); err == nil && strings.IndexByte(path, 0) < 0 && usable(path) {
			return path, true
		}
	}
	return "", false
}

func usable(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	open := info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0
	return !open && unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS) == nil
}
