// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, mode); err != nil {
		t.Fatal(err)
	}
}

// lookups are done in the directory that TestFindProgram makes.
var lookups = []struct {
	name, path string
	want       string // or an error with this text
	errno      syscall.Errno
}{
	{"both", "a:b:c", "b/both", 0},
	{"both", "c/:b", "c/both", 0},
	{"both", "nowhere:a:b", "b/both", 0},
	{"link", "./a/", "./a/link", 0},
	{"here", "a::b", "./here", 0},
	{"here", ":a", "./here", 0},
	{"here", "a:", "./here", 0},
	{"here", "", "./here", 0},
	{"./here", "a", "./here", 0},
	{"a/dir/x", "", "a/dir/x", 0},
	{"here", "a:b", "cannot find program here in PATH (a:b); for the file here write ./here", syscall.ENOENT},
	{"gone", "a:b", "cannot find program gone in PATH (a:b)", syscall.ENOENT},
	{"gone", "a:hidden:b", "cannot find program gone in PATH (a:hidden:b); we may not look into hidden", syscall.ENOENT},
	{"both", "hidden:b", "b/both", 0},
	{"plain", "hidden:a", "cannot execute program a/plain: permission denied", syscall.EACCES},
	{"plain", "b:a", "cannot execute program a/plain: permission denied (its mode is 0644)", syscall.EACCES},
	{"dir", "a", "cannot execute program a/dir: it is a directory", syscall.EACCES},
	{"fifo", "a", "cannot execute program a/fifo: it is not a regular file", syscall.EACCES},
	{"./plain", "a", "cannot execute program ./plain: no such file or directory", syscall.ENOENT},
	{"./a/plain", "b", "cannot execute program ./a/plain: permission denied", syscall.EACCES},
	{"a/dangling", "", "no such file or directory", syscall.ENOENT},
	{"here/x", "", "cannot execute program here/x: not a directory", syscall.ENOTDIR},
	{"", "a", "its name is empty", syscall.ENOENT},
	{"a\x00b", "a", "zero byte", syscall.ENOENT},
	{"a\nb", "a", `cannot find program "a\nb"`, syscall.ENOENT},
	{"..", "a", "a/..: it is a directory", syscall.EACCES},
}

func TestFindProgram(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "a/both", 0o644)
	write(t, "b/both", 0o755)
	write(t, "c/both", 0o755)
	write(t, "a/plain", 0o644)
	write(t, "here", 0o755)
	write(t, "a/dir/x", 0o755)
	if err := syscall.Mkfifo("a/fifo", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../b/both", "a/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", "a/dangling"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("hidden", 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // who may look everywhere, setfsuid(2)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, 65534, 0, 0)
		defer func() { _, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, 0, 0, 0) }()
	} else if err := os.Chmod("hidden", 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range lookups {
		got, err := FindProgram(c.name, c.path)
		if c.errno == 0 {
			if err != nil || got != c.want {
				t.Errorf("FindProgram(%q, %q) = %q, %v; want %q", c.name, c.path, got, err, c.want)
			}
			continue
		}
		if got != "" || !errors.Is(err, ErrUsage) || !errors.Is(err, c.errno) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("FindProgram(%q, %q) = %q, %v; want %v with %q", c.name, c.path, got, err, c.errno, c.want)
		}
	}
}
