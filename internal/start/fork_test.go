// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
)

func TestMain(m *testing.M) {
	platform.CloseInherited(3)
	os.Exit(m.Run())
}

// placeOf is a place with that program, as a look has found it.
func placeOf(t *testing.T, dir, path string) *Launch {
	t.Helper()
	var fds []int
	for _, name := range []string{dir, filepath.Join(dir, path)} {
		fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	text, _ := os.ReadFile(filepath.Join(dir, path))
	l, err := Of(1, &link.Saw{
		Directory: []byte(dir), Path: []byte(path), Resolved: []byte(filepath.Join(dir, path)), Script: bytes.HasPrefix(text, []byte("#!")),
	}, fds)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// taken is one worker that has taken the step, or not.
type taken struct {
	pid    int
	err    error // of the step
	output string
	status syscall.WaitStatus
}

// testEnv is in the environment of each.
var testEnv = "PATH=" + os.Getenv("PATH")

func take(t *testing.T, o Orders, place *Program, env []string, argv ...string) taken {
	t.Helper()
	return takeWith(t, nil, o, place, env, argv...)
}

// takeWith gives the process more descriptors than the four that each gets.
func takeWith(t *testing.T, more []uintptr, o Orders, place *Program, env []string, argv ...string) taken {
	t.Helper()
	if o.Keeper == 0 {
		o.Keeper = os.Getpid()
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	env = append([]string{testEnv}, env...)
	pid, report, err := Fork(o, place, argv, env, append([]uintptr{null.Fd(), out.Fd(), out.Fd(), null.Fd()}, more...))
	if err != nil {
		return taken{err: err}
	}
	got := taken{pid: pid, err: report.Wait()}
	if _, err := syscall.Wait4(pid, &got.status, 0, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	got.output = string(text)
	return got
}

// inDir makes a directory with a program in it.
func inDir(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

const show = `#!/bin/sh
echo "$LISTEN_PID $$ $0 $1 $(pwd -P) $GODEBUG $GOGC $GOTRACEBACK"
ls /proc/self/fd | tr '\n' ' '
grep -E '^Sig(Blk|Ign)|^Umask|^NoNewPrivs' /proc/self/status
`

// TestTheWorkerIsTheProgram: its pid, its place, its arguments and environment,
// and nothing that was the step's.
func TestTheWorkerIsTheProgram(t *testing.T) {
	dir := inDir(t, show)
	env := []string{"LISTEN_PID=", "GODEBUG=inittrace=1", "GOGC=7", "GOTRACEBACK=all"}
	mask := 0o27
	got := take(t, Orders{Limits: config.Limits{Umask: &mask, NoNewPrivs: true}}, placeOf(t, dir, "p").Held, env, "name", "a b")
	if got.err != nil || got.status != 0 {
		t.Fatalf("%+v", got)
	}
	pid := strconv.Itoa(got.pid)
	want := pid + " " + pid + " p a b " + dir + " inittrace=1 7 all\n0 1 2 3 4 "
	if !strings.HasPrefix(got.output, want) { // 4 is ls's own
		t.Errorf("it says\n%s\nwant\n%s", got.output, want)
	}
	for _, line := range []string{"SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "Umask:\t0027", "NoNewPrivs:\t1"} {
		if !strings.Contains(got.output, line+"\n") {
			t.Errorf("it does not say %q: %s", line, got.output)
		}
	}
}

// mostOfOne is the longest word that execve(2) takes.
const mostOfOne = mostPages*4096 - 1

// TestWhatExecveTakesGoesThrough has variables as large as execve(2) takes them, of Go's
// runtime too.
func TestWhatExecveTakesGoesThrough(t *testing.T) {
	place := placeOf(t, inDir(t, "#!/bin/sh\necho ${#GODEBUG} ${#GOGC} $LISTEN_PID\n"), "p").Held
	for _, size := range []int{99 << 10, 127 << 10, mostOfOne} {
		env := []string{"LISTEN_PID="}
		for _, name := range []string{"GODEBUG=", "GOGC="} {
			env = append(env, name+strings.Repeat("x", size-len(name)))
		}
		got := take(t, Orders{}, place, env, "p")
		if want := fmt.Sprintf("%d %d %d\n", size-8, size-5, got.pid); got.err != nil || got.output != want {
			t.Errorf("%d bytes: %v, and %.200q; want %q", size, got.err, got.output, want)
		}
	}
}

// TestTheStepTakesNoRoom fills what execve(2) takes of arguments and environment to the
// last byte.
func TestTheStepTakesNoRoom(t *testing.T) {
	dir := inDir(t, "#!/bin/sh\n")
	place := placeOf(t, dir, "p").Held
	argv := []string{"p"}
	for room := int(mostTogether(nil)); room > mostOfOne; room -= sizeOf(argv[1]) {
		argv = append(argv, strings.Repeat("y", mostOfOne/2))
	}
	argv = append(argv, "")
	last := func(size int) []string {
		argv[len(argv)-1] = strings.Repeat("z", size)
		return argv
	}
	bare := func(size int) bool { // without a step
		pid, err := syscall.ForkExec("p", last(size), &syscall.ProcAttr{Dir: dir, Env: []string{testEnv}})
		if err == nil {
			_, err = syscall.Wait4(pid, nil, 0, nil)
		}
		return err == nil
	}
	most := sort.Search(mostOfOne, func(size int) bool { return !bare(size) }) - 1
	if most < 0 || most == mostOfOne-1 {
		t.Fatalf("the last word can have %d bytes", most)
	}
	if got := take(t, Orders{}, place, nil, last(most)...); got.err != nil {
		t.Errorf("%d bytes fit without a step, and not with one: %v", most, got.err)
	}
	if got := take(t, Orders{}, place, nil, last(most+1)...); !errors.Is(got.err, syscall.E2BIG) {
		t.Errorf("%d bytes do not fit without a step, and with one: %v", most+1, got.err)
	}
}

// TestWhatIsTooLargeIsNamed by what it is, without what is in it.
func TestWhatIsTooLargeIsNamed(t *testing.T) {
	place := placeOf(t, inDir(t, "#!/bin/sh\n"), "p").Held
	large := strings.Repeat("x", mostOfOne+1)
	for _, try := range []struct {
		env, argv []string
		want      string
	}{
		{[]string{"A=1", "GODEBUG=" + large}, []string{"p"}, "cannot pass the variable GODEBUG of 131080 bytes (one may have 131071): argument list too long"},
		{nil, []string{"p", "a", large}, "cannot pass the argument 2 of 131072 bytes (one may have 131071): argument list too long"},
		{nil, append([]string{"p"}, slices.Repeat([]string{large[1:]}, int(mostTogether(nil))/mostOfOne+1)...), "bytes of arguments and environment ("},
	} {
		got := take(t, Orders{}, place, try.env, try.argv...)
		if got.err == nil || !errors.Is(got.err, syscall.E2BIG) || !strings.Contains(got.err.Error(), try.want) {
			t.Errorf("%v; want %s", got.err, try.want)
		}
	}
}

// TestTheHeldFileIsExecuted though another is at its path, scripts too.
func TestTheHeldFileIsExecuted(t *testing.T) {
	for _, text := range []string{show, "binary"} {
		dir := inDir(t, text)
		if text == "binary" {
			from, err := os.ReadFile("/bin/echo")
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "p"), from, 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		l := placeOf(t, dir, "p")
		err := os.Remove(filepath.Join(dir, "p"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "p"), []byte("#!/bin/sh\necho another"), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		got := take(t, Orders{}, l.Held, nil, "name", "word")
		if got.err != nil || got.status != 0 || !strings.Contains(got.output, "word") {
			t.Errorf("%+v", got)
		}
	}
}

// TestWhatFailsIsTold as fork and exec by themselves would.
func TestWhatFailsIsTold(t *testing.T) {
	noInterpreter := inDir(t, "#!/no/such/interpreter\n")
	noFormat := inDir(t, "\x7fno format that there is")
	noRight := inDir(t, "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(noRight, "p"), 0o644); err != nil {
		t.Fatal(err)
	}
	gone := inDir(t, "#!/bin/sh\n")
	written := inDir(t, "")
	f, err := os.OpenFile(filepath.Join(written, "p"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, try := range []struct {
		name, dir string
		o         Orders
		env       []string
		want      Failure
	}{
		{name: "no interpreter", dir: noInterpreter, want: Failure{"", syscall.ENOENT}},
		{name: "no format", dir: noFormat, want: Failure{"", syscall.ENOEXEC}},
		{name: "no right", dir: noRight, want: Failure{"", syscall.EACCES}},
		{name: "being written", dir: written, want: Failure{"", syscall.ETXTBSY}},
		{name: "a limit that cannot be", dir: gone, o: Orders{Limits: config.Limits{Rlimits: []config.Rlimit{{Name: "nofile", Soft: 1 << 40, Hard: 1 << 40}}}}, want: Failure{"set the limit nofile=1099511627776", syscall.EPERM}},
		{name: "no keeper", dir: gone, o: Orders{Keeper: 1}, want: Failure{"begin without a keeper", syscall.ESRCH}},
	} {
		got := take(t, try.o, placeOf(t, try.dir, "p").Held, try.env, "p")
		var f *Failure
		if !errors.As(got.err, &f) || *f != try.want || got.status.ExitStatus() != 1 || got.output != "" {
			t.Errorf("%s: %+v, want %+v", try.name, got, try.want)
		}
	}
}

// TestAStepThatComesToNothing counts as a shortage.
func TestAStepThatComesToNothing(t *testing.T) {
	report, theirs, err := NewReport()
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close() // as if it had been killed
	var f *Failure
	if err := report.Wait(); !errors.As(err, &f) || f.Errno != syscall.EAGAIN || !platform.IsShortage(f.Errno) {
		t.Errorf("%v", err)
	}
}

func TestAZeroByteIsNoArgument(t *testing.T) {
	place := placeOf(t, inDir(t, "#!/bin/sh\n"), "p").Held
	for _, argv := range [][]string{{"p", "a\x00b"}, {"p"}} {
		env := []string{"A=" + strings.Repeat("\x00", 2-len(argv))}
		if got := take(t, Orders{}, place, env, argv...); !errors.Is(got.err, syscall.EINVAL) {
			t.Errorf("%q, %q: %v", argv, env, got.err)
		}
	}
}

// TestAStepThatHangs has one that was stopped, or whose execve(2) does not come
// back: its end of the pipe stays open.
func TestAStepThatHangs(t *testing.T) {
	for _, said := range []string{"", string(executing[:])} {
		report, theirs, err := NewReport()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := theirs.WriteString(said); err != nil {
			t.Fatal(err)
		}
		err = report.wait(time.Millisecond, time.Millisecond)
		theirs.Close()
		if f := (*Failure)(nil); !errors.As(err, &f) || f.Errno != syscall.ETIMEDOUT || f.Doing == "" {
			t.Errorf("after %q: %v", said, err)
		}
	}
}

// TestAStepThatWasOnlyStopped has one whose time was up while everybody was
// stopped: it has a moment to come to its end.
func TestAStepThatWasOnlyStopped(t *testing.T) {
	report, theirs, err := NewReport()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Write(executing[:]); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if err := report.wait(-time.Second, time.Minute); err != nil {
		t.Error(err)
	}
}

// FuzzReport holds that whatever comes back is an answer.
func FuzzReport(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x00\x00\x00", "\x00\x00\x00\x00\x0d\x00", "\x01\x01\x00", "\x00\x00\x00\x01\x01\x00", "\xff\x01\x00", "\x01\x00\x01", "\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x0d\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		report, theirs, err := NewReport("be so")
		if err != nil {
			t.Fatal(err)
		}
		if len(said) > 4096 {
			said = said[:4096]
		}
		_, werr := theirs.Write(said)
		theirs.Close()
		err = report.Wait()
		var failure *Failure
		if ok := string(said) == string(executing[:]); werr != nil || ok != (err == nil) || !ok && (!errors.As(err, &failure) || failure.Errno <= 0) {
			t.Errorf("%q is %v (%v)", said, err, werr)
		}
	})
}
