// SPDX-License-Identifier: GPL-3.0-or-later

package notify

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Set is the descriptors of all workers. Its methods are for one goroutine.
type Set struct {
	readers map[key]*reader
	events  chan Event
	parked  chan struct{}
	paused  bool
}

// key is one descriptor of a worker.
type key struct {
	serial uint64
	pipe   bool
}

// New makes a set that is paused.
func New() *Set {
	return &Set{readers: map[key]*reader{}, events: make(chan Event), parked: make(chan struct{}, 1), paused: true}
}

// Add reads what the worker with this pid says on a socket, or on a pipe. It
// takes fd over.
func (s *Set) Add(fd int, pipe bool, serial uint64, pid int) error {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return fmt.Errorf("cannot listen to a worker: %w", err)
	}
	file := os.NewFile(uintptr(fd), "worker")
	raw, err := file.SyscallConn()
	k := key{serial, pipe}
	if err != nil || s.readers[k] != nil {
		file.Close()
		return err
	}
	r := &reader{set: s, serial: serial, pid: pid, pipe: pipe, path: pathOf(fd), file: file, raw: raw, fd: fd, budget: burst}
	s.readers[k] = r
	if !s.paused {
		r.start()
	}
	return nil
}

// pathOf returns the path of a socket; "": it is abstract, or it is none.
func pathOf(fd int) string {
	addr, err := unix.Getsockname(fd)
	if at, ok := addr.(*unix.SockaddrUnix); err == nil && ok && strings.HasPrefix(at.Name, "/") {
		return at.Name
	}
	return ""
}

// Reaches tells whether a worker can reach its socket, as far as we can see: we
// have it, and nobody has removed its path.
func (s *Set) Reaches(serial uint64) bool {
	r := s.readers[key{serial, false}]
	if r == nil || r.path == "" {
		return r != nil
	}
	_, err := os.Lstat(r.path)
	return !errors.Is(err, os.ErrNotExist)
}

// Remove is for a worker that is gone. It returns what the worker had said and
// Events has not delivered, in order: the last words of one that failed are among
// it. Each of these events has to be released, too.
func (s *Set) Remove(serial uint64) (last []Event) {
	return append(s.remove(key{serial, false}), s.remove(key{serial, true})...)
}

// EndPipe is for a pipe by which nothing more comes.
func (s *Set) EndPipe(serial uint64) { s.remove(key{serial, true}) }

func (s *Set) remove(k key) (last []Event) {
	r := s.readers[k]
	if r == nil {
		return nil
	}
	delete(s.readers, k)
	if r.stop != nil {
		r.end()
		<-r.done
	}
	last = r.rest()
	go r.file.Close() // it may hold descriptors that nobody took, see discard
	return last
}

// Events delivers what workers say. What one says is delivered in order.
func (s *Set) Events() <-chan Event { return s.events }

// Idle tells whether all that had arrived was taken from Events. When it is
// false, either Events or Parked delivers soon.
func (s *Set) Idle() bool {
	if s.paused {
		return true
	}
	var polled []unix.PollFd
	var list []*reader
	for _, r := range s.readers {
		if !r.ended.Load() {
			polled = append(polled, unix.PollFd{Fd: int32(r.fd), Events: unix.POLLIN})
			list = append(list, r)
		} else if r.busy.Load() {
			return false
		}
	}
	// The order matters: bytes leave the kernel only after busy was set.
	for {
		_, err := unix.Poll(polled, 0)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return true
		}
	}
	for i, r := range list {
		if polled[i].Revents != 0 || r.busy.Load() {
			return false
		}
	}
	return true
}

// Parked receives a value when a reader has run out of bytes.
func (s *Set) Parked() <-chan struct{} { return s.parked }

// Pause stops reading, and returns what was read and not delivered.
func (s *Set) Pause() (left []Event) {
	if s.paused {
		return nil
	}
	s.paused = true
	for _, r := range s.readers {
		r.end()
	}
	for _, r := range s.readers {
		<-r.done
		if !r.left.empty() {
			left = append(left, r.left)
			r.left = Event{}
		}
	}
	return left
}

// Resume begins to read, or goes on.
func (s *Set) Resume() {
	if !s.paused {
		return
	}
	s.paused = false
	for _, r := range s.readers {
		if !r.ended.Load() {
			r.start()
		}
	}
}
