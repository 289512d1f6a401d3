// SPDX-License-Identifier: GPL-3.0-or-later

package launch

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
)

// held is a launch of bin/prog, seen from dir, where the file is what make makes.
func held(t *testing.T, script bool, make func(path string)) (dir string, l *Launch) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "here")
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "bin", "prog")
	make(path)
	var fds []int
	for _, p := range []string{dir, path} {
		fd, err := unix.Open(p, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	l, err = Of(2, &link.Saw{
		Program: [][]byte{[]byte("bin/prog")}, Path: []byte("bin/prog"), Resolved: []byte(path), Directory: []byte(dir), Script: script,
	}, fds, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return dir, l
}

func shell(t *testing.T) func(string) {
	return func(path string) {
		if err := os.WriteFile(path, []byte("#!/bin/sh\npwd; echo \"$0\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func binary(t *testing.T) func(string) {
	return func(path string) {
		pwd, err := exec.LookPath("pwd")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("cp", pwd, path).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// run starts it as the keeper would, and returns what it prints and the path
// that was taken.
func run(t *testing.T, l *Launch, more ...uintptr) (printed, path string) {
	t.Helper()
	var fds [2]int
	if err := pipe(&fds); err != nil {
		t.Fatal(err)
	}
	r := os.NewFile(uintptr(fds[0]), "out")
	defer r.Close()
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: append([]uintptr{0, uintptr(fds[1]), 2}, more...)}
	path = l.Place.Enter(attr)
	pid, err := syscall.ForkExec(path, []string{"bin/prog"}, attr)
	unix.Close(fds[1])
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status != 0 {
		t.Fatalf("it ended with %v, %v", status, err)
	}
	return strings.TrimSpace(out.String()), path
}

func replace(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte("#!/bin/sh\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestAPathIsTakenForAsLongAsItLeadsThere(t *testing.T) {
	for name, make := range map[string]func(string){"script": shell(t), "binary": binary(t)} {
		t.Run(name, func(t *testing.T) {
			dir, l := held(t, name == "script", make)
			prog := filepath.Join(dir, "bin", "prog")
			printed, path := run(t, l)
			if path != "bin/prog" || !strings.HasPrefix(printed, dir) {
				t.Errorf("taken: %s, printed %q", path, printed)
			}
			// The name leads elsewhere, the file is where it was.
			l.Place.path = "bin/current"
			replace(t, filepath.Join(dir, "bin", "current"))
			if printed, path = run(t, l); path != prog || !strings.HasPrefix(printed, dir) {
				t.Errorf("taken: %s, printed %q", path, printed)
			}
			// The directory is moved; the path seen from it still leads there.
			l.Place.path = "bin/prog"
			if err := os.Rename(dir, dir+".moved"); err != nil {
				t.Fatal(err)
			}
			if printed, path = run(t, l); path != "bin/prog" || !strings.HasPrefix(printed, dir+".moved") {
				t.Errorf("taken: %s, printed %q", path, printed)
			}
			replace(t, filepath.Join(dir+".moved", "bin", "prog"))
			if printed, path = run(t, l); !strings.HasPrefix(path, "/proc/self/fd/") || !strings.HasPrefix(printed, dir+".moved") {
				t.Errorf("taken: %s, printed %q", path, printed)
			}
			if err := os.RemoveAll(dir + ".moved"); err != nil {
				t.Fatal(err)
			}
			if _, path = runGone(t, l); !strings.HasPrefix(path, "/proc/self/fd/") {
				t.Errorf("taken: %s", path)
			}
		})
	}
}

// runGone is run where pwd fails, since there is no such directory any more.
func runGone(t *testing.T, l *Launch) (status syscall.WaitStatus, path string) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}}
	path = l.Place.Enter(attr)
	pid, err := syscall.ForkExec(path, []string{"bin/prog"}, attr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status.Signaled() {
		t.Fatalf("it ended with %v, %v", status, err)
	}
	return status, path
}

// Descriptors of a worker are put in their places before the program is
// executed: one that they could cover is not executed through its own number.
func TestAHighDescriptorCoversNothing(t *testing.T) {
	_, l := held(t, false, binary(t))
	replace(t, l.Place.resolved)
	high, err := unix.FcntlInt(l.Place.file.Fd(), unix.F_DUPFD_CLOEXEC, int(l.Place.file.Fd())+1)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(high)
	if _, path := run(t, l, uintptr(high)); path != "/proc/self/fd/4" {
		t.Errorf("taken: %s", path)
	}
	if _, path := run(t, l); path != fmt.Sprintf("/proc/self/fd/%d", l.Place.file.Fd()) {
		t.Errorf("taken: %s", path)
	}
}

// A low limit of open files leaves no room above all that a worker gets.
func TestFewDescriptors(t *testing.T) {
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Error(err)
		}
	}()
	dir, l := held(t, false, binary(t))
	replace(t, l.Place.resolved)
	if printed, path := run(t, l, l.Place.file.Fd()); !strings.HasPrefix(path, "/proc/self/fd/") || printed != dir {
		t.Errorf("taken: %s, printed %q", path, printed)
	}
}

func TestOnlyTheLastWordsAreKept(t *testing.T) {
	var log bytes.Buffer
	w, err := Hear(slog.New(slog.NewTextHandler(&log, nil)), "said", 2000)
	if err != nil {
		t.Fatal(err)
	}
	f := w.to
	defer w.Started()
	for i := range 1000 {
		if _, err := fmt.Fprintf(f, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.WriteString(strings.Repeat("é", mostWords) + "\n\xff the end"); err != nil {
		t.Fatal(err)
	}
	w.End() // somebody still holds the pipe
	select {
	case last := <-w.last:
		if len(last) > mostWords+2 || !strings.HasSuffix(last, "é\n\uFFFD the end") {
			t.Errorf("the last words are %q", last)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no last words")
	}
	for _, want := range []string{`text="line 0"`, `text="line 999"`, "the end"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s was not logged", want)
		}
	}
}

func TestNoMoreLinesAreLoggedThanAllowed(t *testing.T) {
	var log bytes.Buffer
	w, err := Hear(slog.New(slog.NewTextHandler(&log, nil)), "said", FewLines)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 * FewLines {
		if _, err := fmt.Fprintf(w.to, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	w.Started() // it was the last that held the pipe
	select {
	case <-w.last:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end with the pipe")
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != FewLines+1 || !strings.Contains(lines[FewLines-1], fmt.Sprintf("line %d", FewLines-1)) || !strings.Contains(lines[FewLines], "more") {
		t.Errorf("%d lines were logged:\n%s", len(lines), log.String())
	}
}
