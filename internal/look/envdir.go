// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxValue bounds a variable: execve(2) takes none that is longer.
const maxValue = 128 << 10

// readDir sets variables by the rules of envdir(8): a file each, its name the
// variable's. Files whose names begin with a dot are passed over, as there;
// that also suits directories whose contents are switched by a symbolic link
// (..data). Anything that cannot be read is an error, as there.
func (e *environment) readDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read --envdir: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case strings.HasPrefix(name, "."):
			continue
		case strings.Contains(name, "="):
			warn("--envdir %s: ignoring the file %q: no variable has = in its name", dir, name)
			continue
		}
		head, err := readHead(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("cannot read --envdir: %w", err)
		}
		value, there, err := valueOf(head)
		switch {
		case err != nil:
			return fmt.Errorf("cannot read --envdir: %s: %w", filepath.Join(dir, name), err)
		case there:
			e.set(name, value)
		default:
			e.unset(name)
		}
	}
	return nil
}

// readHead reads as much of a file as a variable may be long, and one byte.
func readHead(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: it is not a regular file (%s)", path, info.Mode().Type())
	}
	return io.ReadAll(io.LimitReader(f, maxValue+1))
}

// valueOf is the value that a file of this content gives its variable, or
// there is none when the file is empty: its first line, without spaces and tabs
// at the end, and with line breaks for zero bytes.
func valueOf(content []byte) (value string, there bool, err error) {
	if len(content) == 0 {
		return "", false, nil
	}
	line, _, whole := bytes.Cut(content, []byte("\n"))
	if !whole && len(line) > maxValue {
		return "", false, fmt.Errorf("its first line is longer than %d bytes", maxValue)
	}
	line = bytes.TrimRight(line, " \t")
	return strings.ReplaceAll(string(line), "\x00", "\n"), true, nil
}
