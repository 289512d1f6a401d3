// SPDX-License-Identifier: GPL-3.0-or-later

package logging

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// holdTerminal keeps the calling goroutine on a thread that has TTOU blocked,
// if f is a terminal. Under `stty tostop` the terminal sends TTOU to a process
// of the background that writes, and the write, interrupted by a handler,
// would be tried for ever; with TTOU blocked it goes through, termios(3).
func holdTerminal(f *os.File) {
	if !isTerminal(f) {
		return
	}
	runtime.LockOSThread()
	var set unix.Sigset_t
	bits := uint(unsafe.Sizeof(set.Val[0])) * 8
	bit := uint(syscall.SIGTTOU - 1)
	set.Val[bit/bits] |= 1 << (bit % bits)
	_ = unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)
}

// isTerminal leaves the flags of f alone, which [os.File.Fd] may not.
func isTerminal(f *os.File) (is bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		_, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		is = err == nil
	})
	return is
}
