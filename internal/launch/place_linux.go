// SPDX-License-Identifier: GPL-3.0-or-later

package launch

import (
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// firstHeld is the least descriptor of a directory or program that is held
// open: above all that a worker gets, because those are put in their places
// before the program is executed through its own.
const firstHeld = 128

func procFD(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// Enter says where a process begins, and by which path its program is executed:
// as it was found, if that still leads to the same file, so that ps shows its
// name; otherwise by its own path; and when the disk holds another one there, or
// none, through the descriptor, proc(5). An interpreter opens what it is given
// after the descriptors that we hold were closed, so that of a script has to
// stay open in the worker, behind its sockets.
func (p *Place) Enter(attr *syscall.ProcAttr) (path string) {
	file := int(p.file.Fd())
	if attr.Dir, path = p.Where(); path != "" {
		return path
	}
	if p.script || file <= int(slices.Max(attr.Files))+len(attr.Files)+2 {
		attr.Files = append(slices.Clone(attr.Files), uintptr(file))
		return procFD(len(attr.Files) - 1)
	}
	return procFD(file)
}

// Through is by which path a process executes the program's file that holds it
// open itself. From a script it must not be closed; see Enter.
func (p *Place) Through() (path string, script bool) { return procFD(int(p.file.Fd())), p.script }

// Where is what Enter does for a process that holds the descriptors itself. The
// path is "" when only the descriptor leads to the program.
func (p *Place) Where() (dir, path string) {
	fd := int(p.dir.Fd())
	dir = p.enterDir(fd)
	for _, path := range []string{p.path, p.resolved} {
		if p.is(fd, path) {
			return dir, path
		}
	}
	return dir, ""
}

// enterDir goes through the descriptor, so that a directory that was moved or
// removed is still the same. Nobody goes to where we are already: that may take a
// right that we never had, when somebody else started us there.
func (p *Place) enterDir(fd int) string {
	var held, there unix.Stat_t
	if unix.Fstat(fd, &held) != nil {
		return p.directory
	}
	is := func(path string) bool {
		return unix.Stat(path, &there) == nil && there.Dev == held.Dev && there.Ino == held.Ino
	}
	switch {
	case is("/proc/self/cwd"):
		return ""
	case is(procFD(fd)):
		return procFD(fd)
	case is(p.directory):
		return p.directory
	}
	return "" // without a proc(5), and it is gone: where we are
}

// is tells whether a path, seen from dir, leads to the program's file.
func (p *Place) is(dir int, path string) bool {
	var st unix.Stat_t
	return unix.Fstatat(dir, path, &st, 0) == nil && uint64(st.Dev) == p.dev && st.Ino == p.ino
}

func pipe(fds *[2]int) error { return unix.Pipe2(fds[:], unix.O_CLOEXEC) }
