// SPDX-License-Identifier: GPL-3.0-or-later

package platform

import (
	"runtime"
	"sync"
	"syscall"
)

// spareThreads are made at the start, beside those that the runtime has then.
const spareThreads = 4

// ReserveThreads makes the threads that the runtime may come to need while
// they can still be had: it ends the process when it cannot make one, and
// workers may use up what the user or the unit is allowed (RLIMIT_NPROC,
// TasksMax). Idle threads stay with the runtime. Two processors at least, for
// an execve(2) that hangs keeps one of them.
func ReserveThreads() {
	runtime.GOMAXPROCS(2)
	var there, leave sync.WaitGroup
	there.Add(spareThreads)
	leave.Add(1)
	for range spareThreads {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			there.Done()
			leave.Wait()
		}()
	}
	there.Wait()
	leave.Done()
}

// IsShortage tells errors that may pass by themselves from those of the
// program, fork(2) and execve(2).
func IsShortage(errno syscall.Errno) bool {
	switch errno {
	case syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ETXTBSY:
		return true
	}
	return false
}
