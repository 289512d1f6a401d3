// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inBin makes here/bin/prog, as a script or a binary that says by which path it was
// executed, and where it is.
func inBin(t *testing.T, script bool) (dir string, l *Launch, run func() string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "here")
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := []byte("#!/bin/sh\necho \"$0\"\nreadlink /proc/self/cwd\n")
	if !script {
		if text, err = os.ReadFile("/bin/sh"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "prog"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	l = placeOf(t, dir, "bin/prog")
	return dir, l, func() string {
		t.Helper()
		argv := []string{"name"}
		if !script { // the kernel tells the path by its last part
			argv = append(argv, "-c", "read comm </proc/$$/comm; echo $comm; readlink /proc/$$/cwd")
		}
		got := take(t, Orders{}, l.Held, nil, argv...)
		if got.err != nil || got.status != 0 {
			t.Errorf("%+v", got)
		}
		if _, rest, found := strings.Cut(got.output, "getcwd() failed: No such file or directory\n"); found {
			return rest // the shell has complained
		}
		return got.output
	}
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
	for _, script := range []bool{true, false} {
		t.Run(fmt.Sprint(script), func(t *testing.T) {
			dir, l, run := inBin(t, script)
			last := func(path string) string { // what is said of a path
				if script {
					return path
				}
				return filepath.Base(path)
			}
			want := func(path, where string) {
				t.Helper()
				if got := run(); got != last(path)+"\n"+where+"\n" {
					t.Errorf("it says %q, want %s and %s", got, last(path), where)
				}
			}
			want("bin/prog", dir)
			// The name leads elsewhere, the file is where it was.
			l.Held.Path = "bin/current"
			replace(t, filepath.Join(dir, "bin", "current"))
			want(dir+"/bin/prog", dir)
			// The directory is moved; the path seen from it still leads there.
			l.Held.Path = "bin/prog"
			if err := os.Rename(dir, dir+".moved"); err != nil {
				t.Fatal(err)
			}
			want("bin/prog", dir+".moved")
			replace(t, filepath.Join(dir+".moved", "bin", "prog"))
			want("/proc/self/fd/4", dir+".moved")
			if err := os.RemoveAll(dir + ".moved"); err != nil {
				t.Fatal(err)
			}
			want("/proc/self/fd/4", dir+".moved (deleted)")
		})
	}
}

// TestDescriptorsComeInOrder whatever their numbers are, and whatever the keeper has
// where they belong.
func TestDescriptorsComeInOrder(t *testing.T) {
	const count = 20
	place := placeOf(t, inDir(t, "#!/bin/sh\nfor fd; do read word <&$fd; echo $word; done\n"), "p").Held
	var fds []uintptr
	for i := range count {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, fmt.Appendf(nil, "file%d\n", i), 0o644); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		fds = append(fds, uintptr(fd))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		order := random.Perm(count)
		more := make([]uintptr, count)
		var argv, want []string
		for i, from := range order {
			more[i] = fds[from]
			if at := 4 + i; at <= 9 { // dash takes no number above
				argv = append(argv, fmt.Sprint(at))
				want = append(want, fmt.Sprintf("file%d\n", from))
			}
			if _, err := unix.Seek(int(fds[from]), 0, 0); err != nil {
				t.Fatal(err)
			}
		}
		got := takeWith(t, more, Orders{}, place, nil, append([]string{"p"}, argv...)...)
		if got.err != nil || got.output != strings.Join(want, "") {
			t.Errorf("in the order %v of %v: %v, %q; want %q", order, fds, got.err, got.output, want)
		}
	}
}

// TestFewDescriptors has a limit of open files that leaves no number above those that
// a worker gets.
func TestFewDescriptors(t *testing.T) {
	LearnFileLimit()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	last, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 63)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(last)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(last) + 1, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Error(err)
		}
	}()
	for _, script := range []bool{true, false} {
		dir, l, run := inBin(t, script)
		if got := run(); !strings.HasSuffix(got, dir+"\n") {
			t.Errorf("it says %q", got)
		}
		more := []uintptr{uintptr(last), 0, 1, uintptr(last)}
		if got := takeWith(t, more, Orders{}, l.Held, nil, "name", "-c", "exit 0"); got.err != nil || got.status != syscall.WaitStatus(0) {
			t.Errorf("%+v", got)
		}
	}
}

// TestNoPlaceForADescriptor is told, and to the keeper: not in a file that it has
// where the child's report belongs.
func TestNoPlaceForADescriptor(t *testing.T) {
	LearnFileLimit()
	place := placeOf(t, inDir(t, "#!/bin/sh\n"), "p").Held
	const count = 40
	more := make([]uintptr, count) // beside four, the program, the directory and the report
	there, err := os.Create(filepath.Join(t.TempDir(), "there"))
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	const belongs = 4 + count + 2
	if err := unix.Dup3(int(there.Fd()), belongs, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(belongs)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	limit := func(cur uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: cur, Max: was.Max}); err != nil {
			t.Fatal(err)
		}
	}
	limit(30)
	defer limit(was.Cur)
	got := takeWith(t, more, Orders{}, place, nil, "p")
	if f := (*Failure)(nil); !errors.As(got.err, &f) || f.Doing != "put its descriptors in place" || f.Errno != syscall.EBADF {
		t.Errorf("%v", got.err)
	}
	if info, err := there.Stat(); err != nil || info.Size() > 0 {
		t.Errorf("%d bytes were written into a file of the keeper's (%v)", info.Size(), err)
	}
}
