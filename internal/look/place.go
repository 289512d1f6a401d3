// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// endWithKeeper has the system end what this thread executes when the keeper
// dies, prctl(2): a wrapper that hangs would else be there for ever.
func endWithKeeper() {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
}

// openPlace opens a file or a directory as a place, open(2): whoever may
// execute a program need not be allowed to read it.
func openPlace(path string) (int, error) {
	return unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
}

// openHere opens the directory where we are, also one where we could not go:
// whoever is started there by somebody else may stay, proc(5).
func openHere() (int, error) {
	fd, err := openPlace(".")
	if err == unix.EACCES {
		fd, err = openPlace("/proc/self/cwd")
	}
	return fd, err
}

func procFD(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// placeOf is the path of what is open, without symbolic links; otherwise where
// there is no proc(5), or when it has no path any more.
func placeOf(fd int, otherwise string) string {
	path, err := os.Readlink(procFD(fd))
	if err != nil {
		return otherwise
	}
	if otherwise != "" {
		var there, open unix.Stat_t
		if unix.Stat(path, &there) != nil || unix.Fstat(fd, &open) != nil || there.Ino != open.Ino || there.Dev != open.Dev {
			return otherwise
		}
	}
	return path
}

// isScript tells whether the kernel would hand this file to an interpreter by
// its path, execve(2). One that cannot be read could not be interpreted.
func isScript(fd int) (script, windows bool) { return readScript(procFD(fd)) }
