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
