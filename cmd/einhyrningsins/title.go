// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"strings"
	"unsafe"
)

// argMemory is where the kernel reads our command line from, proc_pid_cmdline(5): the
// bytes that execve(2) has put on the stack, the arguments one behind the other,
// each with its zero byte. Writing there is the only way to another name in ps
// that takes no privilege: PR_SET_MM of prctl(2) wants CAP_SYS_RESOURCE. nil: they
// lie otherwise, or were not taken.
var argMemory []byte

// takeArgs takes that memory for showName. The strings of os.Args lie in it
// (the runtime makes them without a copy), so they are copied first; whoever
// keeps one must ask for it afterwards.
func takeArgs() {
	size := 0
	for i, arg := range os.Args {
		if i > 0 && unsafe.StringData(arg) != (*byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(os.Args[0])), size)) {
			return
		}
		size += len(arg) + 1
	}
	if len(os.Args) == 0 || len(os.Args[0]) == 0 {
		return // execve(2) allows it; an empty string need not lie anywhere
	}
	argMemory = unsafe.Slice(unsafe.StringData(os.Args[0]), size)
	for i, arg := range os.Args {
		os.Args[i] = strings.Clone(arg)
	}
}

// showName makes this the command line in ps. It never takes more room than
// there is, and the last byte stays zero: from another the kernel would take
// the environment for the rest of the command line.
func showName(name string) {
	if len(argMemory) == 0 {
		return
	}
	n := copy(argMemory[:len(argMemory)-1], name)
	clear(argMemory[n:])
}
