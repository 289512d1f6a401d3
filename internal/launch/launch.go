// SPDX-License-Identifier: GPL-3.0-or-later

// Package launch is what the keeper knows of the workers of a generation before
// they exist: what they are started from, and the look at it that may still be
// under way.
//
// A Launch is the answer of a process that has looked (internal/look): an
// environment, and a directory and a program that are held open, so that they
// stay what they were. looking.go is the look itself, as seen from outside: a process of
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
	Dir, File     *os.File
	DirID, FileID ID
	Directory     string // for people
	Path          string // of the program as it was found, seen from the directory
	Resolved      string // the same, absolute and without symbolic links
	Script        bool   // an interpreter runs it, and wants a path
}

// ID is what makes a file the same, whatever its path.
type ID struct {
	Major, Minor uint32 // of the device
	Ino          uint64
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

// Of makes a launch of what was seen, and takes the descriptors over.
func Of(generation int, saw *link.Saw, fds []int) (*Launch, error) {
	defer closeFDs(fds)
	p := &Place{
		Directory: string(saw.Directory), Path: string(saw.Path), Resolved: string(saw.Resolved), Script: saw.Script,
	}
	for i, to := range []struct {
		file **os.File
		id   *ID
	}{{&p.Dir, &p.DirID}, {&p.File, &p.FileID}} {
		var st unix.Stat_t
		err := unix.Fstat(fds[i], &st)
		*to.id = ID{unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)), st.Ino}
		fd := -1
		if err == nil {
			fd, err = unix.FcntlInt(uintptr(fds[i]), unix.F_DUPFD_CLOEXEC, 3)
		}
		if err != nil {
			p.close()
			return nil, fmt.Errorf("cannot keep the program's file open: %w", err)
		}
		*to.file = os.NewFile(uintptr(fd), "held")
	}
	return &Launch{
		Launch: link.Launch{
			Generation: generation, Program: p.Resolved, Directory: p.Directory, Variables: len(saw.Env), At: time.Now(), Windows: saw.Windows,
		},
		Environ: wordsOf(saw.Env),
		Place:   p,
	}, nil
}

// Close lets go of what is held.
func (l *Launch) Close() { l.Place.close() }

func (p *Place) close() {
	for _, f := range []*os.File{p.Dir, p.File} {
		if f != nil {
			f.Close()
		}
	}
}

// Path is the program's for people.
func (l *Launch) Path() string {
	if strings.HasPrefix(l.Place.Path, "/") {
		return l.Place.Path
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
