// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// workingDirectory is AT_FDCWD, -100.
const workingDirectory = ^uintptr(99)

// What package syscall does around its own forks: signals are blocked, and in the
// child those that Go handles are set to their defaults. The runtime keeps these
// names for others.

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// fork starts the child. Not as os/exec does, with vfork(2): then the caller would
// wait until the child has executed its program. The lock keeps descriptors that
// others are about to mark close-on-exec out of it.
func (p *plan) fork() (pid int, err error) {
	syscall.ForkLock.Lock()
	child, errno := clone(p)
	syscall.ForkLock.Unlock()
	runtime.KeepAlive(p)
	if errno != 0 {
		return 0, errno
	}
	return int(child), nil
}

// From here on the child may neither allocate, nor grow its stack, nor be
// scheduled, nor store a pointer on the heap, of which the garbage collector may
// have to know: there are no other threads that it could wait for. Nothing of this
// is instrumented.
//
//go:noinline
//go:norace
//go:nocheckptr
func clone(p *plan) (pid uintptr, errno syscall.Errno) {
	beforeFork()
	if runtime.GOARCH == "s390x" { // clone(2), "C library/kernel differences"
		pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, 0, uintptr(syscall.SIGCHLD), 0, 0, 0, 0)
	} else {
		pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	}
	if errno != 0 || pid != 0 {
		afterFork()
		return pid, errno
	}
	// What is meant for the keeper's group would end the child from now on.
	syscall.RawSyscall(syscall.SYS_SETPGID, 0, 0, 0)
	afterForkInChild()
	p.said[0], errno = p.become()
	p.said[1], p.said[2] = byte(errno), byte(errno>>8)
	p.say()
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 1, 0, 0)
	}
}

// become does everything in an order in which what takes a privilege comes before
// it is given up, and what comes with the program's right to it, after. It returns
// what could not be done.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *plan) become() (what byte, errno syscall.Errno) {
	p.defaultSignals()
	p.writePID()
	if what, errno = p.make(p.descriptors); errno != 0 {
		return what, errno
	}
	if errno = p.enter(); errno != 0 {
		return p.place.what, errno
	}
	if errno = p.setScore(); errno != 0 {
		return p.scoreWhat, errno
	}
	if what, errno = p.make(p.limits); errno != 0 {
		return what, errno
	}
	path := p.find()
	if what, errno = p.make(p.rights); errno != 0 {
		return what, errno
	}
	if parent, _, _ := syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0); parent != p.keeper {
		return p.keeperWhat, syscall.ESRCH
	}
	p.said = executing
	p.say()
	_, _, errno = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&p.argv[0])), uintptr(unsafe.Pointer(&p.env[0])))
	return 0, errno
}

// make makes calls, up to the first that must not fail and does.
//
//go:nosplit
//go:norace
func (p *plan) make(calls []call) (what byte, errno syscall.Errno) {
	for i := range calls {
		c := &calls[i]
		_, _, errno = syscall.RawSyscall6(c.trap, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], 0)
		if errno != 0 && c.what != 0 {
			return c.what, errno
		}
		if c.report != 0 {
			p.report = c.report
		}
	}
	return 0, 0
}

// defaultSignals sets every signal to its default, also one that the keeper
// ignores or that Go leaves to the C library's threads.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *plan) defaultSignals() {
	for sig := uintptr(1); sig <= 64; sig++ {
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&p.blank)), 0, 8, 0, 0)
	}
}

// writePID puts the child's own pid into its environment.
//
//go:nosplit
//go:norace
func (p *plan) writePID() {
	pid, _, _ := syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
	digits := 0
	for rest := pid; rest > 0; rest /= 10 {
		digits++
	}
	for _, to := range p.pids {
		to[digits] = 0
		for i, rest := digits-1, pid; i >= 0; i, rest = i-1, rest/10 {
			to[i] = byte('0' + rest%10)
		}
	}
}

// setScore writes the oom_score_adj.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *plan) setScore() syscall.Errno {
	if p.score == nil {
		return 0
	}
	fd, _, errno := syscall.RawSyscall6(syscall.SYS_OPENAT, workingDirectory, uintptr(unsafe.Pointer(&scoreFile[0])), syscall.O_WRONLY|syscall.O_CLOEXEC, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	_, _, errno = syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&p.score[0])), uintptr(len(p.score)))
	syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
	return errno
}

// enter goes to the directory, through its descriptor: one that was moved or removed
// is still the same. Nobody goes to where we are already: that may take a right that
// we never had, when somebody else started us there.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *plan) enter() syscall.Errno {
	if !p.place.there {
		return 0
	}
	if p.is(workingDirectory, &whereWeAre[0], &p.place.dirID) {
		return 0
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_FCHDIR, p.place.dir, 0, 0)
	return errno
}

// find returns the path by which the program is executed: as it was found, if that
// still leads to the same file, so that ps shows its name; otherwise its own path;
// and when the disk holds another one there, or none, through the descriptor,
// proc(5). An interpreter opens what it is given after execve(2) has closed ours, so
// the one of a script stays open in the worker, behind its sockets.
//
//go:nosplit
//go:norace
func (p *plan) find() *byte {
	if !p.place.there {
		return p.path
	}
	for i := range p.place.paths {
		if p.is(p.place.dir, p.place.paths[i], &p.place.fileID) {
			return p.place.paths[i]
		}
	}
	if p.place.script {
		syscall.RawSyscall(syscall.SYS_FCNTL, p.place.file, syscall.F_SETFD, 0)
	}
	return p.path
}

// is tells whether a path, seen from a directory, leads to that file.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *plan) is(dir uintptr, path *byte, id *ID) bool {
	_, _, errno := syscall.RawSyscall6(unix.SYS_STATX, dir, uintptr(unsafe.Pointer(path)), 0, unix.STATX_INO, uintptr(unsafe.Pointer(&p.stat)), 0)
	return errno == 0 && p.stat.Dev_major == id.Major && p.stat.Dev_minor == id.Minor && p.stat.Ino == id.Ino
}

// say sends a message. Nobody may be left to hear it.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (p *plan) say() {
	syscall.RawSyscall(syscall.SYS_WRITE, p.report, uintptr(unsafe.Pointer(&p.said[0])), uintptr(len(p.said)))
}
