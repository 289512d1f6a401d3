// SPDX-License-Identifier: GPL-3.0-or-later

// Package launch is what the keeper knows of the workers of a generation before
// they exist: what they are started from, and the look at it that may still be
// under way.
//
// A Launch is the answer of a process that has looked (internal/look): an
// environment, and a directory and a program that are held open, so that they
// stay what they were. place_linux.go says by which path a worker is started
// from them. looking.go is the look itself, as seen from outside: a process of
// which nothing is expected, because the operator's command runs in it; words.go
// listens to what it says on standard error.
//
// Nothing in here waits, forks, signals or reaps. That is the keeper's.
package launch

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
)

// Launch is what the workers of one generation are started from.
type Launch struct {
	link.Launch
	Environ []string // as it was found
	Env     []string // as workers get it, but for their index
	Place   *Place
}

// Place is a directory and a program in it, as they were found.
type Place struct {
	dir, file *os.File
	directory string // for where descriptors cannot be gone through
	path      string // as it was found, seen from the directory
	resolved  string // the same, absolute and without symbolic links
	script    bool   // an interpreter runs it, and wants a path
	dev, ino  uint64 // of the file
}

// Check tells what an answer cannot be that was given by a process that looks.
// Programs are the operator's to choose, on our command line.
func Check(saw *link.Saw, fds []int, program [][]byte) error {
	if !slices.EqualFunc(saw.Program, program, slices.Equal) {
		return fmt.Errorf("it has the arguments %q, not %q", saw.Program, program)
	}
	if len(fds) != 2 {
		return fmt.Errorf("%d descriptors came instead of a directory and a program", len(fds))
	}
	for i, format := range []uint32{unix.S_IFDIR, unix.S_IFREG} {
		var st unix.Stat_t
		if err := unix.Fstat(fds[i], &st); err != nil || uint32(st.Mode)&unix.S_IFMT != format {
			return fmt.Errorf("descriptor %d is not a directory, and then a regular file", i+1)
		}
	}
	return nil
}

// Of makes a launch of what was seen, and takes the descriptors over. A worker
// gets count descriptors.
func Of(generation int, saw *link.Saw, fds []int, count int) (*Launch, error) {
	defer closeFDs(fds)
	p := &Place{
		directory: string(saw.Directory), path: string(saw.Path), resolved: string(saw.Resolved), script: saw.Script,
	}
	var st unix.Stat_t
	if err := unix.Fstat(fds[1], &st); err != nil {
		return nil, fmt.Errorf("cannot look at the program's file: %w", err)
	}
	p.dev, p.ino = uint64(st.Dev), st.Ino
	for i, to := range []**os.File{&p.dir, &p.file} {
		fd, err := unix.FcntlInt(uintptr(fds[i]), unix.F_DUPFD_CLOEXEC, firstHeld+count)
		if err == unix.EINVAL { // RLIMIT_NOFILE allows none so high; Enter knows what to do with a low one
			fd, err = unix.FcntlInt(uintptr(fds[i]), unix.F_DUPFD_CLOEXEC, 3)
		}
		if err != nil {
			p.close()
			return nil, fmt.Errorf("cannot keep the program's file open: %w", err)
		}
		*to = os.NewFile(uintptr(fd), "held")
	}
	return &Launch{
		Launch: link.Launch{
			Generation: generation, Program: p.resolved, Directory: p.directory, Variables: len(saw.Env), At: time.Now(), Windows: saw.Windows,
		},
		Environ: wordsOf(saw.Env),
		Place:   p,
	}, nil
}

// Close lets go of what is held.
func (l *Launch) Close() { l.Place.close() }

func (p *Place) close() {
	for _, f := range []*os.File{p.dir, p.file} {
		if f != nil {
			f.Close()
		}
	}
}

// Held is a place in words, for a process that is given its descriptors.
type Held struct {
	Directory []byte `json:"directory"`
	Path      []byte `json:"path"`
	Resolved  []byte `json:"resolved"`
	Script    bool   `json:"script"`
	Dev       uint64 `json:"dev"`
	Ino       uint64 `json:"ino"`
}

// Held returns p in words, and its descriptors: the directory's and the
// program's.
func (p *Place) Held() (h Held, dir, file uintptr) {
	return Held{
		Directory: []byte(p.directory), Path: []byte(p.path), Resolved: []byte(p.resolved),
		Script: p.script, Dev: p.dev, Ino: p.ino,
	}, p.dir.Fd(), p.file.Fd()
}

// Place makes a place of its words and descriptors.
func (h Held) Place(dir, file uintptr) *Place {
	return &Place{
		dir: os.NewFile(dir, "held"), file: os.NewFile(file, "held"),
		directory: string(h.Directory), path: string(h.Path), resolved: string(h.Resolved),
		script: h.Script, dev: h.Dev, ino: h.Ino,
	}
}

// Path is the program's for people.
func (l *Launch) Path() string {
	if strings.HasPrefix(l.Place.path, "/") {
		return l.Place.path
	}
	return l.Program
}

func wordsOf(list [][]byte) []string {
	words := make([]string, len(list))
	for i, b := range list {
		words[i] = string(b)
	}
	return words
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
