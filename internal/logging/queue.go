// SPDX-License-Identifier: GPL-3.0-or-later

package logging

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// What the queue holds at most. A line longer than maxBytes is lost.
const (
	maxLines = 1024
	maxBytes = 256 << 10
)

// queue is an [io.Writer] that never waits, and the goroutine behind it.
type queue struct {
	out  *os.File
	note func(lost int) []byte

	mu      sync.Mutex
	wake    sync.Cond
	lines   [][]byte
	bytes   int
	lost    int  // lines that nobody was told about
	broken  bool // the last write failed
	writing bool
	closed  bool
	waiting []chan struct{} // flushes; closed when all is written
}

func newQueue(out *os.File, note func(lost int) []byte) *queue {
	q := &queue{out: out, note: note}
	q.wake.L = &q.mu
	go q.run()
	return q
}

// Write queues one line, or counts it as lost. It never fails.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return len(line), nil
	}
	if len(q.lines) >= maxLines || q.bytes+len(line) > maxBytes {
		q.lost++
		return len(line), nil
	}
	q.lines = append(q.lines, bytes.Clone(line))
	q.bytes += len(line)
	q.wake.Signal()
	return len(line), nil
}

func (q *queue) run() {
	holdTerminal(q.out)
	for {
		line, lost, more := q.take()
		if !more {
			return
		}
		if lost > 0 {
			q.result(q.write(q.note(lost)), lost)
		}
		if line != nil {
			q.result(q.write(line), 1)
		}
	}
}

// take waits for a line, or for a loss that can be told now.
func (q *queue) take() (line []byte, lost int, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = false
	for len(q.lines) == 0 && (q.lost == 0 || q.broken) && !q.closed {
		q.allWritten()
		q.wake.Wait()
	}
	if q.closed {
		q.allWritten()
		return nil, 0, false
	}
	if len(q.lines) > 0 {
		line = q.lines[0]
		q.lines[0] = nil
		q.lines = q.lines[1:]
		q.bytes -= len(line)
	}
	if len(q.lines) == 0 {
		q.lines = nil // a burst's memory isn't kept
	}
	lost, q.lost = q.lost, 0
	q.writing = true
	return line, lost, true
}

// result notes what became of a write that stands for that many lines.
func (q *queue) result(err error, lines int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.broken = err != nil
	if err != nil {
		q.lost += lines
	}
}

// write writes one line, waiting as long as the reader makes it wait. A line
// is tried once: after EPIPE the next line finds out whether a reader is back.
func (q *queue) write(line []byte) error {
	conn, err := q.out.SyscallConn()
	if err != nil {
		return err
	}
	var werr error
	err = conn.Control(func(fd uintptr) { werr = writeAll(int(fd), line) })
	return errors.Join(err, werr)
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		switch {
		case n > 0:
			b = b[n:]
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN): // another process that shares the file set O_NONBLOCK
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
		case err == nil:
			return unix.EIO
		default:
			return err
		}
	}
	return nil
}

// allWritten tells those who flush; under mu.
func (q *queue) allWritten() {
	for _, ch := range q.waiting {
		close(ch)
	}
	q.waiting = nil
}

func (q *queue) flush(timeout time.Duration) bool {
	q.mu.Lock()
	if q.closed || (len(q.lines) == 0 && !q.writing && (q.lost == 0 || q.broken)) {
		q.mu.Unlock()
		return true
	}
	done := make(chan struct{})
	q.waiting = append(q.waiting, done)
	q.mu.Unlock()
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case <-done:
		return true
	case <-late.C:
		return false
	}
}

// close ends the goroutine, unless it is stuck in a write.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.lines, q.bytes = nil, 0
	q.wake.Signal()
}
