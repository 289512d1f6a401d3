// SPDX-License-Identifier: GPL-3.0-or-later

// Package platform is what each operating system does in its own way about
// processes: looking at children without reaping them, signal masks, niceness,
// the signal at a parent's death, what was inherited at the start. The keeper
// uses it; nothing here remembers anything of it.
package platform

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// IsStop tells the signals that end everything.
func IsStop(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR2:
		return true
	}
	return false
}

// Renice is the command for one process, called as einhorn calls it: the
// operator's words are the shell's to split.
func Renice(command string, nice int, pid string) string {
	return strings.Join([]string{command, strconv.Itoa(nice), "-p", pid}, " ")
}

// OwnProgram is the binary that we run, also when the disk holds another one
// by now, proc(5). In the child that executes it, it still means ours.
const OwnProgram = "/proc/self/exe"

// OpenBinary opens a file to be executed by its HeldPath. It need not be
// readable, and may be anything: nothing of it is touched, open(2).
func OpenBinary(path string) (*os.File, error) {
	return os.OpenFile(path, unix.O_PATH|unix.O_CLOEXEC, 0)
}

// HeldPath is by what name an open binary is executed: proc(5). Its own name may
// stand for another file by now. It works for a binary, not for a script, whose
// interpreter would find the descriptor closed.
func HeldPath(f *os.File) string {
	return "/proc/self/fd/" + strconv.Itoa(int(f.Fd()))
}

// siPID is where waitid(2) puts si_pid: behind si_signo, si_errno, si_code
// and, where pointers take 8 bytes, padding.
const siPID = 8 + unsafe.Sizeof(uintptr(0))

// Ended finds a child that has ended and leaves it unreaped where the system
// can do that; 0: none.
func Ended() int { return waitid(unix.P_ALL, 0) }

// HasEnded tells whether this child has ended, likewise.
func HasEnded(pid int) bool { return waitid(unix.P_PID, pid) == pid }

// Reap takes the exit status of a child that has ended.
func Reap(pid int) syscall.WaitStatus {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if err != syscall.EINTR {
			return status
		}
	}
}

func waitid(idType, id int) int {
	var info unix.Siginfo
	for {
		err := unix.Waitid(idType, id, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0 // ECHILD: there is none
		}
		return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), siPID)))
	}
}

// SetSignalMask blocks just these signals on the calling thread, which must be
// locked, and returns a function that undoes it. A child inherits the mask of
// the thread that forks, signal(7).
func SetSignalMask(blocked []syscall.Signal) (restore func()) {
	var set, old unix.Sigset_t
	for _, sig := range blocked {
		bits := uint(unsafe.Sizeof(set.Val[0])) * 8
		set.Val[uint(sig-1)/bits] |= 1 << (uint(sig-1) % bits)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &set, &old); err != nil {
		return func() {}
	}
	return func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil) }
}

// CloseInherited marks whatever we were started with from this descriptor on
// close-on-exec, so that no child gets it.
func CloseInherited(from int) {
	if unix.CloseRange(uint(from), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	// Kernels before 5.11 do not know the flag, close_range(2).
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= from {
			unix.CloseOnExec(fd)
		}
	}
}

// AdoptIgnored makes the Go runtime handle each signal that was ignored when
// we were started, because only those that it handles are set back to their
// default in a child, and execve(2) passes ignored ones on.
func AdoptIgnored(to chan os.Signal) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	_, rest, ok := bytes.Cut(status, []byte("\nSigIgn:\t"))
	if !ok || len(rest) < 16 {
		return
	}
	mask, err := strconv.ParseUint(string(rest[:16]), 16, 64)
	if err != nil {
		return
	}
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		if mask&(1<<uint(sig-1)) == 0 {
			continue
		}
		if sig >= 32 && sig <= 34 {
			resetDisposition(sig)
			continue
		}
		signal.Notify(to, sig)
	}
}

// resetDisposition sets a signal to its default. The Go runtime leaves 32 to
// 34 to the C library's threads and does not handle them.
func resetDisposition(sig syscall.Signal) {
	var action [32]byte // struct sigaction of the kernel, all zero: SIG_DFL
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig),
		uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}

// SetComm names the process: what ps and pidof show, proc(5). A write to the
// main thread's comm works from every thread of it.
func SetComm(name string) {
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0)
}

// Kill sends sig to a process, or to its whole group; to the process also when it
// has left the group that was made for it. It fails when the process itself could not
// be signalled: for a group it is enough for kill(2) that one of them could.
func Kill(pid int, sig syscall.Signal, group bool) error {
	var err error = syscall.ESRCH
	if group {
		err = syscall.Kill(-pid, sig)
	}
	switch err {
	case nil:
		err = syscall.Kill(pid, 0)
	case syscall.ESRCH:
		err = syscall.Kill(pid, sig)
	}
	return os.NewSyscallError("kill", err)
}

// HowEnded says how a process has ended.
func HowEnded(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
