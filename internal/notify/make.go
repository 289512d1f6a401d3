// SPDX-License-Identifier: GPL-3.0-or-later

package notify

import (
	"os"

	"golang.org/x/sys/unix"
)

// Pipe makes the pipe of a worker that says with a newline that it is ready.
// Our end does not block; the worker's does, as programs expect.
func Pipe() (ours, theirs int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	defer w.Close()
	if ours, err = dup(r); err != nil {
		return 0, 0, err
	}
	if theirs, err = dup(w); err == nil {
		if err = unix.SetNonblock(theirs, false); err != nil {
			unix.Close(theirs)
		}
	}
	if err != nil {
		unix.Close(ours)
		return 0, 0, os.NewSyscallError("fcntl", err)
	}
	return ours, theirs, nil
}

func dup(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	})
	if cerr != nil {
		return 0, cerr
	}
	return fd, os.NewSyscallError("fcntl", err)
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
