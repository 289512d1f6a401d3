// SPDX-License-Identifier: GPL-3.0-or-later

package launch

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// mostWords is how much is kept of what a process that looks has said.
const mostWords = 1 << 10

// words is what a process that looks says on stderr. A goroutine reads it, so
// that nobody has to wait; each line goes to the log, which never makes anyone
// wait either, and the last of all is delivered in the end.
type words struct {
	from *os.File
	last chan string
}

// hear makes a pipe and listens to it; stderr is the end to write to.
func hear(log *slog.Logger) (w *words, stderr int, err error) {
	var fds [2]int
	if err := pipe(&fds); err != nil {
		return nil, -1, fmt.Errorf("cannot make a pipe: %w", err)
	}
	// Only our end: the other is a process's stderr, which expects to wait.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		closeFDs(fds[:])
		return nil, -1, fmt.Errorf("cannot use a pipe: %w", err)
	}
	w = &words{from: os.NewFile(uintptr(fds[0]), "words"), last: make(chan string, 1)}
	go w.listen(log)
	return w, fds[1], nil
}

// end lets the last words be delivered, though somebody may still hold the
// pipe. It may be called again.
func (w *words) end() { _ = w.from.SetReadDeadline(time.Unix(1, 0)) }

func (w *words) listen(log *slog.Logger) {
	var tail, line []byte
	take := func(b []byte) {
		tail = append(tail, b...)
		if cut := len(tail) - mostWords; cut > 0 {
			for cut < len(tail) && !utf8.RuneStart(tail[cut]) {
				cut++ // not amid a character
			}
			tail = tail[cut:]
		}
		for line = append(line, b...); ; {
			head, rest, whole := bytes.Cut(line, []byte("\n"))
			if !whole && len(line) < mostWords {
				return
			}
			if len(bytes.TrimSpace(head)) > 0 {
				log.Info("said while looking", "text", string(head))
			}
			line = rest
		}
	}
	buf := make([]byte, 4<<10)
	for {
		n, err := w.from.Read(buf)
		take(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			w.drain(buf, take)
		}
		if err != nil {
			break
		}
	}
	w.from.Close()
	take([]byte("\n"))
	w.last <- strings.TrimSpace(strings.ToValidUTF8(string(tail), "\uFFFD"))
}

// drain takes what is in the pipe already.
func (w *words) drain(buf []byte, take func([]byte)) {
	raw, err := w.from.SyscallConn()
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
