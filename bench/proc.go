// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// pssOf is the proportional set size of a process in bytes: its memory, with
// what it shares divided among the sharers (proc_pid_smaps(5)).
func pssOf(pid int) (int64, error) {
	kib, err := field(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
	return kib << 10, err
}

// rssOf is the resident set size of a process in bytes.
func rssOf(pid int) (int64, error) {
	kib, err := field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
	return kib << 10, err
}

func threadsOf(pid int) (int64, error) {
	return field(fmt.Sprintf("/proc/%d/status", pid), "Threads:")
}

// switchesOf sums the context switches of all threads of a process, voluntary
// and not: every wake-up of a sleeping thread ends in at least one.
func switchesOf(pid int) (sum int64, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("cannot list the threads of process %d: none in /proc", pid)
	}
	for _, path := range tasks {
		for _, name := range []string{"voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"} {
			n, err := field(path, name)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// field reads one number from a file of lines like "Name:  4711 kB".
func field(path, name string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) >= 2 && words[0] == name {
			return strconv.ParseInt(words[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("cannot find %q in %s", name, path)
}

// childrenOf lists the children of all threads of a process
// (/proc/PID/task/TID/children).
func childrenOf(pid int) (pids []int, err error) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	for _, path := range lists {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids, nil
}

// processorTime is what all processors together have spent since the system
// started, and which part of it idle, in ticks (proc_stat(5)).
func processorTime() (all, idle int64, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	words := strings.Fields(line)
	if len(words) < 9 || words[0] != "cpu" {
		return 0, 0, fmt.Errorf("cannot read /proc/stat: its first line is %q", line)
	}
	// user nice system idle iowait irq softirq steal; guest times are part of user
	for i, word := range words[1:9] {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("cannot read /proc/stat: %w", err)
		}
		all += n
		if i == 3 || i == 4 {
			idle += n
		}
	}
	return all, idle, nil
}

// ticksOf is the processor time of a process in ticks, and that of the children
// that it has reaped when reaped is set (proc_pid_stat(5)).
func ticksOf(pid int, reaped bool) (sum int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name of the program, in brackets, may hold anything.
	words := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, childUser = 14 - 3, 16 - 3 // fields 14 to 17, where words begins with field 3
	last := user + 2
	if reaped {
		last = childUser + 2
	}
	if len(words) < last {
		return 0, fmt.Errorf("cannot read /proc/%d/stat: only %d fields", pid, len(words))
	}
	for _, word := range words[user:last] {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("cannot read /proc/%d/stat: %w", pid, err)
		}
		sum += n
	}
	return sum, nil
}
