// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// defaultPath is where programs are looked for without a PATH, as in exec(3)
// with the directory that administrators use put first.
const defaultPath = "/usr/local/bin:/usr/bin:/bin"

// PathOf returns the PATH of environ (as from os.Environ), or a usual one when
// it has none.
func PathOf(environ []string) string {
	for _, kv := range environ {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			return path // of several the first counts, as for os.Getenv
		}
	}
	return defaultPath
}

// FindProgram returns the file that name stands for: name itself when it has a
// slash, otherwise the first executable regular file of that name in pathEnv,
// whose empty entries are the current directory. "Executable" is judged with the
// effective user and groups, as execve(2) does. The path may be relative. An
// error matches [ErrUsage] and wraps ENOENT or EACCES.
func FindProgram(name, pathEnv string) (string, error) {
	if name == "" {
		return "", usageWrap(unix.ENOENT, "cannot find program: its name is empty; write it as in einhyrningsins -n 2 -- server")
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", usageWrap(unix.ENOENT, "cannot find program %q: a name cannot hold a zero byte", name)
	}
	if strings.Contains(name, "/") {
		if errno, why := executable(name); errno != 0 {
			return "", usageWrap(errno, "cannot execute program %s: %s", show(name), why)
		}
		return name, nil
	}
	denied := "" // the first file that is there, but may not be run, and why
	hidden := "" // the first directory that may not be looked into
	for _, dir := range strings.Split(pathEnv, ":") {
		if dir == "" {
			dir = "."
		}
		path := strings.TrimSuffix(dir, "/") + "/" + name
		errno, why := executable(path)
		if errno == 0 {
			return path, nil
		}
		switch {
		case errno != unix.EACCES:
		case isHidden(path):
			hidden = cmp.Or(hidden, dir)
		default:
			denied = cmp.Or(denied, show(path)+": "+why)
		}
	}
	if denied != "" {
		return "", usageWrap(unix.EACCES, "cannot execute program %s", denied)
	}
	more := ""
	if _, err := os.Stat(name); err == nil {
		more = "; for the file here write ./" + name
	}
	if hidden != "" {
		more += "; we may not look into " + show(hidden)
	}
	return "", usageWrap(unix.ENOENT, "cannot find program %s in PATH (%s)%s", show(name), show(pathEnv), more)
}

// isHidden tells whether it cannot be known what is at a path.
func isHidden(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, unix.EACCES)
}

// executable returns 0, or what execve(2) would fail with, and the reason in
// words.
func executable(path string) (unix.Errno, string) {
	info, err := os.Stat(path)
	if err != nil {
		errno := errnoOf(err)
		return errno, errno.Error()
	}
	if info.IsDir() {
		return unix.EACCES, "it is a directory"
	}
	if !info.Mode().IsRegular() {
		return unix.EACCES, fmt.Sprintf("it is not a regular file (%s)", info.Mode().Type())
	}
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS); err != nil {
		errno := errnoOf(err)
		return errno, fmt.Sprintf("%s (its mode is %04o)", errno, info.Mode().Perm())
	}
	return 0, ""
}

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
