// SPDX-License-Identifier: GPL-3.0-or-later

package notify

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// patience bounds a wait for something that must happen; it is never slept.
const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ear is a set with one worker, which is this process unless pid says otherwise.
type ear struct {
	t    *testing.T
	set  *Set
	addr *unix.SockaddrUnix
	fd   int // that sends
}

func newEar(t *testing.T, pid int) *ear {
	t.Helper()
	ours, name, err := Socket(Home{})
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	e := &ear{t: t, set: New(), addr: &unix.SockaddrUnix{Name: name}, fd: fd}
	if err := e.set.Add(ours, false, 1, pid); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.set.Pause()
		e.set.Remove(1)
		unix.Close(fd)
	})
	return e
}

func (e *ear) send(text string, fds ...int) {
	e.t.Helper()
	var oob []byte
	if fds != nil {
		oob = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(e.fd, []byte(text), oob, e.addr, 0); err != nil {
		e.t.Fatal(err)
	}
}

func (e *ear) event() Event {
	e.t.Helper()
	select {
	case got := <-e.set.Events():
		return got
	case <-time.After(patience):
		e.t.Fatal("nothing was heard")
	}
	return Event{}
}

// quiet asserts that nothing is heard of all that had arrived.
func (e *ear) quiet() {
	e.t.Helper()
	for !e.set.Idle() {
		select {
		case got := <-e.set.Events():
			e.t.Errorf("heard %+v", got)
			got.Release()
		case <-e.set.Parked():
		case <-time.After(patience):
			e.t.Fatal("it never rests")
		}
	}
}

func TestWhatIsSaidAtOnceIsOneEvent(t *testing.T) {
	e := newEar(t, os.Getpid())
	e.send("STATUS=a")
	e.send("STATUS=b\nREADY=1")
	e.send("WATCHDOG=1")
	e.set.Resume()
	got := e.event()
	if got.Serial != 1 || !got.Ready || !got.Alive || *got.Status != "b" {
		t.Errorf("heard %+v", got)
	}
	e.quiet()
	e.send("STOPPING=1")
	if got := e.event(); got.Ready || !got.Stopping {
		t.Errorf("heard %+v", got)
	}
}

func TestPauseLosesNothing(t *testing.T) {
	e := newEar(t, os.Getpid())
	e.set.Resume()
	e.send("READY=1")
	for e.set.Idle() { // until it was read; nobody takes it
		<-e.set.Parked()
	}
	var heard []Event
	heard = append(heard, e.set.Pause()...)
	e.send("STOPPING=1") // for the next
	e.set.Resume()
	for len(heard) < 2 {
		got := e.event()
		if heard = append(heard, got); got.Ready && got.Stopping {
			break
		}
	}
	ready, stopping := false, false
	for _, got := range heard {
		ready, stopping = ready || got.Ready, stopping || got.Stopping
	}
	if !ready || !stopping {
		t.Errorf("heard %+v", heard)
	}
}

func TestDescendantsMaySpeak(t *testing.T) {
	e := newEar(t, os.Getpid())
	e.set.Resume()
	script := `perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_DGRAM, 0); send($s, "STATUS=child", 0, pack_sockaddr_un("\0".substr($ARGV[0], 1))); sleep 100' "$0" & echo $!; wait`
	cmd := exec.Command("setsid", "sh", "-c", script, e.addr.Name)
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer func() {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait()
	}()
	if got := e.event(); got.Status == nil || *got.Status != "child" {
		t.Errorf("heard %+v", got)
	}
}

func TestOthersMayNot(t *testing.T) {
	e := newEar(t, 1<<28) // a pid that no process has
	e.set.Resume()
	e.send("READY=1")
	got := e.event()
	if got.Ready || got.Refused.Count != 1 || got.Refused.PID != os.Getpid() {
		t.Errorf("heard %+v", got)
	}
	got.Release()
	for range 50 {
		e.send("READY=1") // told once a minute
	}
	e.quiet()
}

func TestWhatIsTooLongCountsForNothing(t *testing.T) {
	e := newEar(t, os.Getpid())
	e.set.Resume()
	e.send("READY=1\n" + strings.Repeat("x", maxDatagram))
	if got := e.event(); got.Ready || got.Refused.Count != 1 || got.Refused.PID != 0 {
		t.Errorf("heard %+v", got)
	}
	e.send("READY=1\nX=" + strings.Repeat("x", maxDatagram-len("READY=1\nX=")))
	if got := e.event(); !got.Ready {
		t.Errorf("heard %+v", got)
	}
}

// pipe returns both ends of one; whether the other end is closed can be seen.
func (e *ear) pipe() (r *os.File, w int) {
	e.t.Helper()
	r, f, err := os.Pipe()
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	w, err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { r.Close() })
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		e.t.Fatal(err)
	}
	return r, w
}

func TestBarrierIsClosedWhenAllWasDealtWith(t *testing.T) {
	e := newEar(t, os.Getpid())
	e.set.Resume()
	r, w := e.pipe()
	e.send("READY=1")
	e.send("BARRIER=1", w)
	unix.Close(w)
	var last Event
	for ready := false; !ready || len(last.fds) == 0; ready = ready || last.Ready {
		if last = e.event(); len(last.fds) > 0 {
			break
		}
		last.Release()
	}
	b := make([]byte, 1)
	fds := []unix.PollFd{{Fd: int32(r.Fd()), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, 0); n != 0 || err != nil {
		t.Errorf("it was closed before: %v, %v", n, err)
	}
	last.Release()
	if err := unix.SetNonblock(int(r.Fd()), false); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(b); n != 0 || err == nil {
		t.Errorf("read %d, %v", n, err)
	}
}

func TestOtherDescriptorsAreClosedAtOnce(t *testing.T) {
	e := newEar(t, os.Getpid())
	e.set.Resume()
	r, w := e.pipe()
	e.send("FDSTORE=1\nFDNAME=x", w, w, w)
	e.send("BARRIER=1", w, w) // two are none
	unix.Close(w)
	got := e.event()
	defer got.Release()
	if err := unix.SetNonblock(int(r.Fd()), false); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || len(got.fds) > 0 {
		t.Errorf("read %d, %v; heard %+v", n, err, got)
	}
}

func TestNewlineOnAPipe(t *testing.T) {
	e := newEar(t, os.Getpid())
	for serial, words := range map[uint64][]string{2: {"x", "y\nz\n"}, 3: {"no newline", ""}} {
		ours, theirs, err := Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := e.set.Add(ours, true, serial, os.Getpid()); err != nil {
			t.Fatal(err)
		}
		w := os.NewFile(uintptr(theirs), "pipe")
		for _, word := range words {
			if _, err := w.WriteString(word); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
	}
	e.set.Resume()
	for range 2 {
		if got := e.event(); got.Ready != (got.Serial == 2) || !got.Ended {
			t.Errorf("heard %+v", got)
		} else {
			e.set.EndPipe(got.Serial)
			got.Release()
		}
	}
	e.quiet()
}

// TestFloodIsHeardInMeasure: who never stops is heard, but not more often than
// others need the time; and all others are heard meanwhile.
func TestFloodIsHeardInMeasure(t *testing.T) {
	e := newEar(t, os.Getpid())
	other := newEar(t, os.Getpid())
	other.set.Resume()
	e.set.Resume()
	stop := make(chan struct{})
	done := make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				done <- n
				return
			default:
				_ = unix.Sendmsg(e.fd, []byte("STATUS=x\nWATCHDOG=1"), nil, e.addr, 0)
			}
		}
	}()
	began, heard := time.Now(), 0
	for heard < burst+perSecond/2 {
		got := e.event()
		heard++
		got.Release()
		if heard == burst {
			other.send("READY=1")
			if got := other.event(); !got.Ready {
				t.Errorf("heard %+v", got)
			}
		}
	}
	took := time.Since(began)
	close(stop)
	sent := -1
	for sent < 0 { // it may wait for room
		select {
		case got := <-e.set.Events():
			got.Release()
		case sent = <-done:
		}
	}
	if took < 300*time.Millisecond {
		t.Errorf("heard %d times in %v, of %d datagrams", heard, took, sent)
	}
}

func TestSocketsHaveAPathWhereWorkersReachIt(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(open, "foreign")
	if err := os.Mkdir(foreign, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(foreign, 0o777); err != nil { // anybody could put something there
		t.Fatal(err)
	}
	closed := filepath.Join(open, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]struct {
		place Home
		path  bool
	}{
		"ours":                      {Home{Dir: filepath.Join(open, "a")}, true},
		"nowhere":                   {Home{}, false},
		"others can write there":    {Home{Dir: foreign}, false},
		"ours alone":                {Home{Dir: filepath.Join(closed, "b")}, true},
		"others cannot reach it":    {Home{Dir: filepath.Join(closed, "c"), Others: true}, false},
		"the path is too long":      {Home{Dir: filepath.Join(open, strings.Repeat("d", 100))}, false},
		"the directory is no such":  {Home{Dir: "/proc/self/comm"}, false},
		"its parent does not exist": {Home{Dir: filepath.Join(open, "x", "y")}, false},
	} {
		fd, got, err := Socket(try.place)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		if strings.HasPrefix(got, try.place.Dir+"/") != try.path || try.path == strings.HasPrefix(got, "@") {
			t.Errorf("%s: the name is %s", name, got)
		}
	}
	info, err := os.Stat(filepath.Join(open, "a"))
	if err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("the directory is %v, %v", info.Mode(), err)
	}
}
