// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestAChildThatHangsHoldsNothing of the keeper's but what it needs: it may outlive
// the keeper.
func TestAChildThatHangsHoldsNothing(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	report, theirs, err := NewReport()
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(Orders{Keeper: os.Getpid()}, &Program{Path: "/bin/true"}, []string{"p"}, nil, []uintptr{held.Fd(), held.Fd()}, theirs.Fd())
	if err != nil {
		t.Fatal(err)
	}
	path, err := unix.BytePtrFromString(fifo)
	if err != nil {
		t.Fatal(err)
	}
	p.add(&p.rights, "", unix.SYS_OPENAT, workingDirectory, uintptr(unsafe.Pointer(path)), unix.O_RDONLY) // which waits for a writer
	pid, err := p.fork()
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	await(t, "the child waits", func() bool {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		where, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
		return string(status) == StepName+"\n" && (strings.Contains(string(where), "fifo") || strings.Contains(string(where), "wait_for_partner"))
	})
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); err != nil || got != "0 1 2" {
		t.Errorf("it has the descriptors %s (%v), want its two and the report", got, err)
	}
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := report.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
		t.Error(err)
	}
	runtime.KeepAlive(path)
}

// await waits for a state.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.After(20 * time.Second); !f(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not so within 20 s: %s", what)
		}
	}
}

// TestTheLimitOfFiles of programs is the one that we were started with, not the one
// that Go's runtime makes of it, unless somebody changes ours.
func TestTheLimitOfFiles(t *testing.T) {
	known := LearnFileLimit()
	place := placeOf(t, inDir(t, "#!/bin/sh\nulimit -Sn\nulimit -Hn\n"), "p").Held
	want := fmt.Sprintf("%s\n%s\n", limitText(known.programs.Cur), limitText(known.programs.Max))
	if got := take(t, Orders{}, place, nil, "p"); got.err != nil || got.output != want {
		t.Errorf("%v, and %q; want %q", got.err, got.output, want)
	}
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil || now != known.ours {
		t.Fatalf("ours is %v (%v), want %v", now, err, known.ours)
	}
	changed := unix.Rlimit{Cur: now.Cur - 7, Max: now.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &changed); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &now) }()
	want = fmt.Sprintf("%s\n%s\n", limitText(changed.Cur), limitText(changed.Max))
	if got := take(t, Orders{}, place, nil, "p"); got.err != nil || got.output != want {
		t.Errorf("once changed: %v, and %q; want %q", got.err, got.output, want)
	}
}

func limitText(n uint64) string {
	if n == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}
