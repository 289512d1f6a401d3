// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// launchMain makes its own process odd and then becomes the program after --:
//
//	fd=N      leave descriptor N open
//	close=N   close descriptor N
//	ignore    ignore every signal that can be
//	block     block every signal that can be
//	child=F   leave a child that ends when file F is there, its pid in child.pid
//	nofile=N  set the soft limit of open files
//	locked=D  be in directory D, where nobody may be, not even root
//	bound=N   have N open files at most, and no right to more than a limit allows
func launchMain(args []string) int {
	runtime.LockOSThread() // execve keeps the signal mask of the thread that calls it
	for i, word := range args {
		if word == "--" {
			err := syscall.Exec(args[i+1], args[i+1:], os.Environ())
			fmt.Fprintln(os.Stderr, "tlaunch:", err)
			return 1
		}
		if err := makeOdd(word); err != nil {
			fmt.Fprintf(os.Stderr, "tlaunch: cannot %s: %v\n", word, err)
			return 1
		}
	}
	fmt.Fprintln(os.Stderr, "tlaunch: no program after --")
	return 2
}

func makeOdd(word string) error {
	name, value, _ := strings.Cut(word, "=")
	n, _ := strconv.Atoi(value)
	switch name {
	case "fd":
		return dupTo(n)
	case "close":
		return unix.Close(n)
	case "ignore":
		return ignoreAll()
	case "block":
		return blockAll()
	case "child":
		return leaveChild(value)
	case "locked":
		return beLocked(value)
	case "bound":
		return beBound(n)
	case "nofile":
		return limitFiles(n)
	}
	return hand(name, value)
}

// dupTo leaves a descriptor open that a child inherits.
func dupTo(n int) error {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Dup2(int(f.Fd()), n)
}

func leaveChild(file string) error {
	cmd := exec.Command("sh", "-c", `echo $$ > child.pid; echo child $$; until test -e "$0"; do sleep 0.02; done`, file)
	cmd.Stdout = os.Stdout
	return cmd.Start()
}

// ignoreAll ignores the signals 1 to 64 past the Go runtime, which never
// ignores some of them. Two can't be.
func ignoreAll() error {
	action := struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}{handler: 1} // SIG_IGN
	for sig := uintptr(1); sig <= 64; sig++ {
		if sig == uintptr(unix.SIGKILL) || sig == uintptr(unix.SIGSTOP) {
			continue
		}
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0); errno != 0 {
			return errno
		}
	}
	return nil
}

// blockAll blocks every signal in the calling thread, again past the runtime.
func blockAll() error {
	mask := ^uint64(0)
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// limitFiles sets the soft limit. The syscall package takes note, and leaves
// it as it is when it executes a program.
func limitFiles(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = uint64(n)
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// beBound sets the hard limit of open files, and gives up the capabilities(7) that
// let a process have more than its limits allow, with the next program.
func beBound(files int) error {
	limit := syscall.Rlimit{Cur: uint64(files), Max: uint64(files)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || unix.Geteuid() != 0 {
		return err
	}
	for _, c := range []uintptr{unix.CAP_SYS_RESOURCE, unix.CAP_SYS_ADMIN} {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// beLocked goes to a directory and takes everybody's right to be there. Root
// has to give up capabilities(7) for that, with the next program.
func beLocked(dir string) error {
	if err := unix.Chmod(dir, 0o700); err != nil { // somebody was here before
		return err
	}
	if err := unix.Chdir(dir); err != nil {
		return err
	}
	if unix.Geteuid() == 0 {
		for _, c := range []uintptr{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH} {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
				return err
			}
		}
	}
	return unix.Chmod(dir, 0)
}
