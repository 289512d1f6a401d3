// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"einhyrningsins/internal/link"
)

// maxFile bounds a file that variables are read from.
const maxFile = 4 << 20

// environment is variables in their order. Bytes are what they are: nothing
// here needs them to be text.
type environment struct {
	entries []string       // NAME=VALUE; "": removed
	at      map[string]int // name → where
}

func newEnvironment(environ []string) *environment {
	e := &environment{at: map[string]int{}}
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		if _, twice := e.at[name]; ok && !twice { // of several the first counts, as for getenv(3)
			e.set(name, value)
		}
	}
	return e
}

func (e *environment) set(name, value string) {
	if i, ok := e.at[name]; ok {
		e.entries[i] = name + "=" + value
		return
	}
	e.at[name] = len(e.entries)
	e.entries = append(e.entries, name+"="+value)
}

func (e *environment) unset(name string) {
	if i, ok := e.at[name]; ok {
		e.entries[i] = ""
		delete(e.at, name)
	}
}

func (e *environment) list() []string {
	list := make([]string, 0, len(e.at))
	for _, kv := range e.entries {
		if kv != "" {
			list = append(list, kv)
		}
	}
	return list
}

// apply reads what is to be read, drops what is to be dropped, and goes to the
// directory.
func (e *environment) apply(at *link.LookAt) error {
	for _, kv := range at.Login {
		if name, value, ok := strings.Cut(string(kv), "="); ok {
			e.set(name, value)
		}
	}
	for _, s := range at.Env {
		err := e.read(s)
		if err != nil && (!s.Optional || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	if len(at.Dir) > 0 {
		dir := string(at.Dir)
		if err := os.Chdir(dir); err != nil {
			return fmt.Errorf("cannot go to the directory of --chdir: %w%s", err, leads(dir))
		}
		if here := workingDir(); here != "" {
			dir = here
		}
		e.set("PWD", dir) // without symbolic links, see atHome
	}
	for _, name := range at.Drop {
		e.unset(string(name))
	}
	return nil
}

func (e *environment) read(s link.EnvSource) error {
	path := string(s.Path)
	if s.Dir {
		return e.readDir(path)
	}
	data, err := readFile(path, maxFile)
	if err != nil {
		return fmt.Errorf("cannot read --env-file: %w", err)
	}
	list, ignored, err := parseEnvFile(data)
	if err != nil {
		return fmt.Errorf("cannot read --env-file %s: %w", path, err)
	}
	for _, text := range ignored {
		warn("--env-file %s: %s", path, text)
	}
	for _, a := range list {
		e.set(a.name, a.value)
	}
	return nil
}

// readFile reads a regular file, at most limit bytes of it: anything else could
// be read only once, or keep us waiting.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &os.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read %s: it is not a regular file (%s)", path, info.Mode().Type())
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("read %s: it is longer than %d bytes", path, limit)
	}
	return data, err
}

// warn tells of something that is passed over, on standard error.
func warn(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "einhyrningsins: "+format+"\n", args...)
}

// release says, behind an error about a program, which one of a deploy's releases
// it was looked for in: where a relative path begins, or what a link on an absolute
// one leads to.
func release(program string) string {
	dir := workingDir()
	switch {
	case filepath.IsAbs(program):
		return leads(program)
	case dir == "" || !strings.Contains(program, "/"): // it was looked for in PATH
		return ""
	}
	return ", from " + dir
}

// leads says where the last symbolic link on a path leads.
func leads(path string) string {
	for ; path != "" && path != "." && path != "/"; path = filepath.Dir(path) {
		if to, err := os.Readlink(path); err == nil {
			return fmt.Sprintf(" (%s leads to %s)", path, to)
		}
	}
	return ""
}

// readScript tells whether a file's first bytes are #!, and whether that line ends
// with a carriage return, which the kernel takes for a part of its last word. It
// reads as much of it as the kernel does, execve(2).
func readScript(path string) (script, windows bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false, false
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 256))
	line, _, whole := bytes.Cut(head, []byte("\n"))
	script = err == nil && bytes.HasPrefix(line, []byte("#!"))
	return script, script && whole && bytes.HasSuffix(line, []byte("\r"))
}
