// SPDX-License-Identifier: GPL-3.0-or-later

package start

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
	Held    *Program
}

// Program is what a process becomes. It may be a path and nothing else; or a file
// that is held open; or a file and the directory that it was found in, so that both
// stay what they were.
type Program struct {
	Path      string   // as it was found, seen from the directory
	Resolved  string   // the same, absolute and without symbolic links; where there is a directory
	Script    bool     // an interpreter runs it, and wants a path
	File      *os.File // nil: whatever is at the path by then
	FileID    ID
	Dir       *os.File // nil: it begins where we are
	DirID     ID
	Directory string // for people
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
	defer link.CloseFDs(fds)
	p := &Program{
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
		Held:    p,
	}, nil
}

// Close lets go of what is held.
func (l *Launch) Close() { l.Held.close() }

func (p *Program) close() {
	for _, f := range []*os.File{p.Dir, p.File} {
		if f != nil {
			f.Close()
		}
	}
}

// Path is the program's for people.
func (l *Launch) Path() string {
	if strings.HasPrefix(l.Held.Path, "/") {
		return l.Held.Path
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
