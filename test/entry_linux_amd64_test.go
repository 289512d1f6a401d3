// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFirstInstructions stops the daemon right behind its own first
// instructions, before there is anything of Go's runtime: HUP does not end it,
// and USR2 is kept until it can be obeyed.
func TestFirstInstructions(t *testing.T) {
	runtime.LockOSThread() // only the thread that traces may do so
	defer runtime.UnlockOSThread()
	sock := filepath.Join(t.TempDir(), "sock")
	cmd := exec.Command(filepath.Join(binaries, "einhyrningsins"), "-d", sock, "-n", "1", "--", "sleep", "200")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Skip("cannot trace a process here:", err)
	}
	pid := cmd.Process.Pid
	defer cmd.Process.Kill()
	stopped := func() {
		t.Helper()
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil || !status.Stopped() {
			t.Fatalf("it does not stop at a system call: %v, status %#x", err, status)
		}
	}
	stopped() // in execve(2)
	for last := false; !last; {
		for range 2 { // before and behind the next system call
			if err := unix.PtraceSyscall(pid, 0); err != nil {
				t.Fatal(err)
			}
			stopped()
		}
		var regs unix.PtraceRegs
		if err := unix.PtraceGetRegs(pid, &regs); err != nil {
			t.Fatal(err)
		}
		if regs.Orig_rax == unix.SYS_SCHED_GETAFFINITY {
			t.Fatal("it began in Go's runtime")
		}
		last = regs.Orig_rax == unix.SYS_RT_SIGACTION && regs.Rdi == uint64(syscall.SIGINT)
	}
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR2} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.PtraceDetach(pid); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("USR2 right after the first instructions ended it with %v", err)
	}
}
