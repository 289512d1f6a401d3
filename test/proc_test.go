// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

func canIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

// fillPipe writes to a pipe until it takes no more.
func fillPipe(w *os.File) error {
	conn, err := w.SyscallConn()
	if err != nil {
		return err
	}
	block := bytes.Repeat([]byte("full\n"), 1000)
	var full error
	err = conn.Control(func(fd uintptr) { // as os.Pipe made it, it does not block
		for full == nil || full == unix.EINTR {
			_, full = unix.Write(int(fd), block)
		}
	})
	if err == nil && full != unix.EAGAIN {
		err = full
	}
	return err
}

// procFields are the fields of /proc/PID/stat after the command's name: the
// first is the state, proc(5).
func procFields(pid int) ([]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return nil, fmt.Errorf("cannot read stat of process %d: %q", pid, b)
	}
	return fields, nil
}

// niceness lists what the threads of a process have, each once, proc_pid_stat(5).
func niceness(pid int) (list []string, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		return nil, err
	}
	for _, dir := range threads {
		tid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		fields, err := procFields(tid)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		if nice := fields[16]; !slices.Contains(list, nice) {
			list = append(list, nice)
		}
	}
	slices.Sort(list)
	return list, nil
}

// setNiceness gives a script $NICE0, the niceness of the tests, to $NICE9, which
// is 9 more. Less than now takes a privilege.
func setNiceness(env *testscript.Env) error {
	own, err := niceness(os.Getpid())
	if err != nil {
		return err
	}
	now := 0
	if len(own) > 0 { // there is a /proc
		if now, err = strconv.Atoi(own[0]); err != nil {
			return err
		}
	}
	for i := range 10 {
		env.Setenv(fmt.Sprintf("NICE%d", i), strconv.Itoa(now+i))
	}
	return nil
}

// procState is one letter, or "" when there is no such process.
func procState(pid int) (string, error) {
	fields, err := procFields(pid)
	if err != nil {
		return "", err
	}
	return fields[0], nil
}

// procAge is how long ago a process was started; stat counts in ticks, of
// which Linux has 100 a second on every machine.
func procAge(pid int) (time.Duration, error) {
	fields, err := procFields(pid)
	if err != nil {
		return 0, err
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return 0, err
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(strings.Fields(string(uptime))[0], 64)
	return time.Duration(seconds*float64(time.Second)) - time.Duration(ticks)*10*time.Millisecond, err
}

// marked finds the processes whose mark begins with prefix, ended ones apart.
func marked(prefix string) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && isMarked(pid, prefix) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func isMarked(pid int, prefix string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && (bytes.HasPrefix(b, []byte(markerName+"="+prefix)) || bytes.Contains(b, []byte("\x00"+markerName+"="+prefix)))
}

// killMarked ends the processes with a mark, and returns those that it can't.
func killMarked(prefix string) (left []int) {
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for range 1000 {
		left = marked(prefix)
		if len(left) == 0 {
			return nil
		}
		for _, pid := range left {
			killIfMarked(pid, prefix)
		}
		<-look.C
	}
	return left
}

func cmdNothingLeft(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1 && !neg, "nothingleft NAME")
	d := fixtureOf(ts).daemon(ts, args[0])
	eventually(ts, "nothing is left of daemon "+d.name, func() (bool, string) {
		left := marked(d.mark)
		return len(left) == 0, fmt.Sprintf("processes %v", left)
	})
	for _, path := range []string{d.sock, d.pidfile} {
		if _, err := os.Lstat(path); path != "" && err == nil {
			ts.Fatalf("%s was left behind", filepath.Base(path))
		}
	}
}

// cmdHandles waits until a daemon that was started with all signals ignored (by
// tlaunch, which ignores none at first) ignores none any more.
func cmdHandles(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1 && !neg, "handles NAME")
	path := fmt.Sprintf("/proc/%d/status", fixtureOf(ts).process(ts, args[0]))
	eventually(ts, args[0]+" handles all signals", func() (bool, string) {
		b, err := os.ReadFile(path)
		ts.Check(err)
		ours := bytes.HasPrefix(b, []byte("Name:\teinhyrn"))
		return ours && bytes.Contains(b, []byte("\nSigIgn:\t0000000000000000\n")), string(b)
	})
}

func cmdProc(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "proc status|env|limits|stat|nice|cmdline|cwd|exe PROCESS")
	pid := fixtureOf(ts).process(ts, args[1])
	dir := fmt.Sprintf("/proc/%d/", pid)
	switch args[0] {
	case "status", "limits":
		b, err := os.ReadFile(dir + args[0])
		ts.Check(err)
		ts.Stdout().Write(b)
	case "env":
		b, err := os.ReadFile(dir + "environ")
		ts.Check(err)
		lines := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
		slices.Sort(lines)
		fmt.Fprintln(ts.Stdout(), strings.Join(lines, "\n"))
	case "stat":
		fields, err := procFields(pid)
		ts.Check(err)
		fmt.Fprintf(ts.Stdout(), "ppid %s\npgid %s\npid %d\n", fields[1], fields[2], pid)
	case "nice":
		list, err := niceness(pid)
		ts.Check(err)
		fmt.Fprintln(ts.Stdout(), strings.Join(list, " "))
	case "cwd", "exe":
		path, err := os.Readlink(dir + args[0])
		ts.Check(err)
		fmt.Fprintln(ts.Stdout(), path)
	case "cmdline":
		b, err := os.ReadFile(dir + args[0])
		ts.Check(err)
		fmt.Fprintf(ts.Stdout(), "%q\n", b)
	default:
		ts.Fatalf("cannot print %q of a process", args[0])
	}
}

// cmdWaitFDs waits until a process has just the descriptors that a file lists,
// by number and what they are, without inode numbers. A program that is still
// being loaded has its libraries open.
func cmdWaitFDs(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "waitfds PROCESS FILE")
	pid := fixtureOf(ts).process(ts, args[0])
	want := ts.ReadFile(args[1])
	eventually(ts, fmt.Sprintf("process %d has these open:\n%s", pid, want), func() (bool, string) {
		got := descriptors(fmt.Sprintf("/proc/%d/fd", pid), ts.MkAbs(".")+"/")
		return got == want, got
	})
}

// cmdCountFDs remembers how many descriptors a process has, or waits until it
// has no more than were remembered under that tag.
func cmdCountFDs(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "countfds TAG PROCESS")
	pid := fixtureOf(ts).process(ts, args[1])
	count := func() int { return strings.Count(descriptors(fmt.Sprintf("/proc/%d/fd", pid), ""), "\n") }
	variable := "fds_" + args[0]
	if ts.Getenv(variable) == "" {
		ts.Setenv(variable, strconv.Itoa(count()))
		return
	}
	most, err := strconv.Atoi(ts.Getenv(variable))
	ts.Check(err)
	eventually(ts, fmt.Sprintf("process %d has at most %d descriptors", pid, most), func() (bool, string) {
		got := count()
		return got <= most, strconv.Itoa(got)
	})
}

func descriptors(dir, here string) string {
	var b strings.Builder
	entries, _ := os.ReadDir(dir)
	slices.SortFunc(entries, func(a, b os.DirEntry) int {
		return cmp.Or(cmp.Compare(len(a.Name()), len(b.Name())), cmp.Compare(a.Name(), b.Name()))
	})
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if kind, _, ok := strings.Cut(to, ":["); ok {
			to = kind
		}
		fmt.Fprintf(&b, "%s %s\n", e.Name(), strings.TrimPrefix(to, here))
	}
	return b.String()
}

func cmdNonblock(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2, "[!] nonblock PROCESS FD")
	pid := fixtureOf(ts).process(ts, args[0])
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, args[1]))
	ts.Check(err)
	_, rest, _ := strings.Cut(string(b), "flags:")
	flags, err := strconv.ParseInt(strings.Fields(rest)[0], 8, 64)
	ts.Check(err)
	if is := flags&unix.O_NONBLOCK != 0; is == neg {
		ts.Fatalf("O_NONBLOCK of fd %s in process %d: %v", args[1], pid, is)
	}
}
