// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"einhyrningsins/internal/link"

	"golang.org/x/sys/unix"
)

// mostStderr is how much is kept of what a process that looks has said.
const mostStderr = 1 << 10

// How many lines go to the log.
const (
	ManyLines = 1000 // a wrapper may build things
	FewLines  = 16   // of what is run again and again
)

// Stderr is what a process says on stderr that the operator's command runs in. A
// goroutine reads it, so that nobody has to wait; each line goes to the log, which
// never makes anyone wait either, and the last of all is delivered in the end. Its
// methods are for one goroutine, and work for none, too.
type Stderr struct {
	from *os.File
	to   *os.File // the process's, until it was started
	last chan string
}

// Hear makes a pipe and listens to it. Of what is said the log gets so many lines
// at most, under this text.
func Hear(log *slog.Logger, text string, most int) (*Stderr, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("cannot make a pipe: %w", err)
	}
	// Only our end: the other is a process's stderr, which expects to wait.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		link.CloseFDs(fds[:])
		return nil, fmt.Errorf("cannot use a pipe: %w", err)
	}
	w := &Stderr{os.NewFile(uintptr(fds[0]), "stderr"), os.NewFile(uintptr(fds[1]), "stderr"), make(chan string, 1)}
	go listen(w.from, w.last, func(line string) {
		switch most--; {
		case most >= 0:
			log.Info(text, "text", line)
		case most == -1:
			log.Info(text, "text", "… and more than that")
		}
	})
	return w, nil
}

// FD is the end to write to; our own for none.
func (w *Stderr) FD() uintptr {
	if w == nil {
		return 2
	}
	return w.to.Fd()
}

// Started closes that end, which the process has now, or nobody.
func (w *Stderr) Started() {
	if w != nil {
		w.to.Close()
	}
}

// End lets the last words be delivered, though somebody may still hold the
// pipe. It may be called again.
func (w *Stderr) End() {
	if w != nil {
		_ = w.from.SetReadDeadline(time.Unix(1, 0))
	}
}

func listen(from *os.File, last chan<- string, say func(line string)) {
	var tail, line []byte
	take := func(b []byte) {
		tail = append(tail, b...)
		if cut := len(tail) - mostStderr; cut > 0 {
			for cut < len(tail) && !utf8.RuneStart(tail[cut]) {
				cut++ // not amid a character
			}
			tail = tail[cut:]
		}
		for line = append(line, b...); ; {
			head, rest, whole := bytes.Cut(line, []byte("\n"))
			if !whole && len(line) < mostStderr {
				return
			}
			if len(bytes.TrimSpace(head)) > 0 {
				say(string(head))
			}
			line = rest
		}
	}
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		take(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			drain(from, buf, take)
		}
		if err != nil {
			break
		}
	}
	from.Close()
	take([]byte("\n"))
	last <- strings.TrimSpace(strings.ToValidUTF8(string(tail), "\uFFFD"))
}

// drain takes what is in the pipe already.
func drain(from *os.File, buf []byte, take func([]byte)) {
	raw, err := from.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for range 64 { // more than a pipe holds, pipe(7); somebody may be writing on
			n, err := unix.Read(int(fd), buf)
			if err == unix.EINTR {
				continue
			}
			if err != nil || n <= 0 {
				return
			}
			take(buf[:n])
		}
	})
}
