// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds each wait for a state; nothing is measured with it.
const patience = 30 * time.Second

// terminal is the program at a terminal of its own, and a person before it.
type terminal struct {
	t      *testing.T
	home   string
	ptm    *os.File
	leader *exec.Cmd
	leave  *os.File      // the leader ends when this is closed
	news   *bufio.Reader // of the leader: pid and wait status of the program
	pid    int
	done   chan struct{} // closed when all output has been read

	mu    sync.Mutex
	shown string // all that the terminal was sent
	read  int    // how far expect has come
	more  chan struct{}
}

// lead is the session's leader. When a leader ends the kernel hangs up its
// terminal and drops what was not read yet, so the program must be none, and
// its leader stays until all has been looked at.
func lead() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGHUP, syscall.SIGTSTP)
	news, leave := os.NewFile(3, "news"), os.NewFile(4, "leave")
	unix.CloseOnExec(3)
	unix.CloseOnExec(4)
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	if name := os.Getenv(calledAs); name != "" {
		cmd.Args[0] = name
	}
	cmd.Env = append(os.Environ(), role+"=program")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(news, cmd.Process.Pid)
	left := make(chan struct{})
	go func() {
		io.Copy(io.Discard, leave)
		cmd.Process.Kill() // harmless when it has ended
		close(left)
	}()
	cmd.Wait()
	fmt.Fprintln(news, int(cmd.ProcessState.Sys().(syscall.WaitStatus)))
	<-left
	os.Exit(0)
}

// openPTY makes a pseudo-terminal (pts(4)) of 80 columns.
func openPTY(t *testing.T) (ptm, pts *os.File) {
	t.Helper()
	ptm, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { ptm.Close() })
	n, err := unix.IoctlGetInt(int(ptm.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ptm.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(ptm.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatal(err)
	}
	pts, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ptm, pts
}

func startTerminal(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	ptm, pts := openPTY(t)
	defer pts.Close()
	term := &terminal{t: t, home: t.TempDir(), ptm: ptm, done: make(chan struct{}), more: make(chan struct{}, 1)}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append([]string{role + "=leader", "TERM=xterm", "GORACE=atexit_sleep_ms=0", "HOME=" + term.home, "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = pts, pts, pts
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	news, newsEnd := pipe(t)
	leaveEnd, leave := pipe(t)
	cmd.ExtraFiles = []*os.File{newsEnd, leaveEnd}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	newsEnd.Close()
	leaveEnd.Close()
	term.leader, term.leave, term.news = cmd, leave, bufio.NewReader(news)
	go term.collect()
	t.Cleanup(func() {
		leave.Close()
		cmd.Wait()
		ptm.Close()
		<-term.done
	})
	term.pid = term.number()
	return term
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// number reads the next news of the leader.
func (term *terminal) number() int {
	term.t.Helper()
	var n int
	if _, err := fmt.Fscanln(term.news, &n); err != nil {
		term.t.Fatalf("no news of the program: %v; the terminal showed %q", err, term.all())
	}
	return n
}

// wait waits for the program's end.
func (term *terminal) wait() syscall.WaitStatus {
	term.t.Helper()
	ws := syscall.WaitStatus(term.number())
	term.pid = 0
	return ws
}

func (term *terminal) collect() {
	defer close(term.done)
	buf := make([]byte, 4096)
	for {
		n, err := term.ptm.Read(buf)
		if err != nil {
			return
		}
		term.mu.Lock()
		term.shown += string(buf[:n])
		term.mu.Unlock()
		select {
		case term.more <- struct{}{}:
		default:
		}
	}
}

func (term *terminal) press(keys string) {
	term.t.Helper()
	if _, err := term.ptm.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// expect waits until text has been shown, after what was expected before, and
// returns all that was shown since then.
func (term *terminal) expect(text string) string {
	term.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		term.mu.Lock()
		rest := term.shown[term.read:]
		if i := strings.Index(rest, text); i >= 0 {
			term.read += i + len(text)
			term.mu.Unlock()
			return rest[:i+len(text)]
		}
		term.mu.Unlock()
		select {
		case <-term.more:
		case <-deadline.C:
			if term.pid > 0 {
				syscall.Kill(term.pid, syscall.SIGQUIT) // where does it hang?
				term.wait()
			}
			term.t.Fatalf("waited for %q, saw %q, and at its end:\n%s", text, rest, term.all())
		}
	}
}

// prompt waits for the shell to be ready for a line.
func (term *terminal) prompt() {
	term.t.Helper()
	term.expect(programName + "> ")
}

// exit waits for the end and checks the status.
func (term *terminal) exit(want int) {
	term.t.Helper()
	if ws := term.wait(); !ws.Exited() || ws.ExitStatus() != want {
		term.t.Errorf("ended with wait status %#x, want exit status %d; the terminal showed %q", int(ws), want, term.all())
	}
	term.exitedCooked()
}

// exitedCooked checks that the terminal was given back as it was.
func (term *terminal) exitedCooked() {
	term.t.Helper()
	tio, err := unix.IoctlGetTermios(int(term.ptm.Fd()), unix.TCGETS)
	if err != nil || tio.Lflag&unix.ICANON == 0 || tio.Lflag&unix.ECHO == 0 {
		term.t.Errorf("the terminal was left in raw mode (%v)", err)
	}
}

func (term *terminal) all() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.shown
}
