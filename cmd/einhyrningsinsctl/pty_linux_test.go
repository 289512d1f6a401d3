// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
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
	t    *testing.T
	home string
	ptm  *os.File
	cmd  *exec.Cmd
	done chan struct{} // closed when all output has been read

	mu    sync.Mutex
	shown string // all that the terminal was sent
	read  int    // how far expect has come
	more  chan struct{}
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
	cmd.Env = append([]string{asProgram + "=1", "TERM=xterm", "GORACE=atexit_sleep_ms=0", "HOME=" + term.home, "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = pts, pts, pts
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	term.cmd = cmd
	go term.collect()
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
		ptm.Close()
		<-term.done
	})
	return term
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
			term.t.Fatalf("waited for %q, saw %q", text, rest)
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
	err := term.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		term.t.Fatal(err)
	}
	if got := term.cmd.ProcessState.ExitCode(); got != want {
		term.t.Errorf("exit status %d (%v), want %d; the terminal showed %q", got, term.cmd.ProcessState, want, term.all())
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
