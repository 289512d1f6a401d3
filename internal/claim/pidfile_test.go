// SPDX-License-Identifier: GPL-3.0-or-later

package claim

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// put checks and puts, as a keeper does.
func put(path string) (*PIDFile, error) {
	p, err := CheckPIDFile(path)
	if err == nil {
		err = p.Put()
	}
	return p, err
}

func says(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ended is the pid of a process that has ended.
func ended(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestPIDFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p")
	own := fmt.Sprintf("%d\n", os.Getpid())
	for what, stale := range map[string]string{
		"nothing": "-", "an empty file": "", "an empty line": "\n",
		"a dead pid": fmt.Sprintf("%d\n", ended(t)), "our own, as in a container": own,
	} {
		if stale != "-" {
			if err := os.WriteFile(path, []byte(stale), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p, err := put(path)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := says(t, path); got != own {
			t.Errorf("%s: it says %q", what, got)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %v, %v", what, info.Mode(), err)
		}
		_, err = put(path)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("keeper %d has it", os.Getpid())) {
			t.Errorf("%s: a second one: %v", what, err)
		}
		if err := p.Remove(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left behind: %v", what, left)
		}
		if p.Remove() != nil {
			t.Errorf("%s: removed twice", what)
		}
	}
}

// TestPIDFileOfALivingProcess: a number alone says nothing, for another process
// may have it by now. What was there before the file was written can be meant.
func TestPIDFileOfALivingProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	alive := fmt.Sprintf("%d\n", os.Getppid())
	if err := os.WriteFile(path, []byte(alive), 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("it says %s (pid %d), which was there before it was written", Comm(os.Getppid()), os.Getppid())
	if _, err := put(path); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %q", err, want)
	}
	if got := says(t, path); got != alive {
		t.Errorf("it says %q", got)
	}
	// Written long before: the number is of a dead process, used again.
	old := time.Now().Add(-24 * 365 * time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	p, err := put(path)
	if err != nil {
		t.Fatal(err)
	}
	p.Remove()
}

// TestPIDFileInTheWay: nothing of another's is ever replaced.
func TestPIDFileInTheWay(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.WriteFile(path("file"), []byte("[server]\n"), 0o600),
		os.WriteFile(path("two"), []byte("12\n13\n"), 0o600),
		os.WriteFile(path("empty"), nil, 0o600),
		os.WriteFile(path("stale"), fmt.Appendf(nil, "%d\n", ended(t)), 0o600),
		os.Mkdir(path("dir"), 0o700),
		unix.Mkfifo(path("pipe"), 0o600),
		os.Symlink(os.DevNull, path("to-null")),
		os.Symlink("dir", path("to-dir")),
		os.Symlink("empty", path("to-empty")),
		os.Symlink("nowhere", path("to-nowhere")),
		os.Symlink("stale", path("to-stale")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for where, want := range map[string]string{
		os.DevNull:         "a device is there; choose another path with --pidfile",
		"/dev/stdin":       " is there",
		path("file"):       "something else is there (a file without a pid in it); remove it or choose another path with --pidfile",
		path("two"):        "something else is there",
		path("dir"):        "a directory is there",
		path("pipe"):       "a pipe is there",
		path("to-null"):    "a device is there",
		path("to-dir"):     "a directory is there",
		path("to-empty"):   "something else is there",
		path("to-nowhere"): "a symbolic link is there that leads nowhere",
		path("file/p"):     "not a directory",
		path("no/p"):       "cannot write to its directory: no such file or directory",
	} {
		refused(t, where, want)
	}
	p, err := put(path("to-stale"))
	if err != nil {
		t.Fatal(err)
	}
	if got := says(t, path("stale")); got == says(t, path("to-stale")) {
		t.Error("a link was followed, and what it leads to was written to")
	}
	p.Remove()
}

// refused: what is there stays, also when it has got there since it was looked at
// first.
func refused(t *testing.T, where, want string) {
	t.Helper()
	if info, err := os.Stat(where); where == "/dev/stdin" && (err != nil || info.Mode().IsRegular()) {
		return
	}
	before, _ := os.Lstat(where)
	_, err := CheckPIDFile(where)
	if err == nil || !strings.Contains(err.Error(), "cannot use pid file "+where+": ") || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v; want %q", where, err, want)
	}
	if err := (&PIDFile{path: where}).Put(); err == nil {
		t.Errorf("%s was replaced", where)
	}
	if after, err := os.Lstat(where); before != nil && (err != nil || !os.SameFile(before, after)) {
		t.Errorf("%s is another: %v", where, err)
	}
}

// TestPIDFileAtTheSameTime: of many keepers one gets it, where nothing is and where
// a stale one is.
func TestPIDFileAtTheSameTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	type result struct {
		p   *PIDFile
		err error
	}
	dead := fmt.Appendf(nil, "%d\n", ended(t))
	for i := range 20 {
		if i%2 == 1 {
			if err := os.WriteFile(path, dead, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		results := make(chan result, 8)
		for range 8 {
			go func() {
				p, err := put(path)
				results <- result{p, err}
			}()
		}
		var winner *PIDFile
		for range 8 {
			switch r := <-results; {
			case r.err != nil:
			case winner != nil:
				t.Fatal("two have put their pid into it")
			default:
				winner = r.p
			}
		}
		if winner == nil {
			t.Fatal("nobody has put a pid into it")
		}
		if err := winner.Remove(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatIsNotRemovedIsSaid, and what is somebody else's stays.
func TestWhatAnotherOnePutThereStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p")
	p, err := put(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(); err != nil {
		t.Error(err)
	}
	if got := says(t, path); got == "" {
		t.Error("what another one wrote is gone")
	}
}

func TestWhatCannotBeRemovedIsSaid(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p")
	p, err := put(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if os.Geteuid() == 0 { // root may remove anything, so this thread is somebody else for files, setfsuid(2)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if _, err := unix.SetfsuidRetUid(65534); err != nil {
			t.Fatal(err)
		}
		defer unix.SetfsuidRetUid(0)
	}
	if err := p.Remove(); err == nil || !strings.Contains(err.Error(), "cannot remove pid file "+path+": permission denied") {
		t.Errorf("%v", err)
	}
}
