// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/config"
)

// What execve(2) takes, its section "Limits on size of arguments and environment".
const (
	mostPages  = 32        // of one argument or variable, with the zero byte behind it
	leastOfAll = 128 << 10 // whatever the limit of the stack is
	mostOfAll  = 6 << 20
)

// tooLarge names what is too large of a program's arguments and environment.
func tooLarge(words, env []string, limits []config.Rlimit) string {
	mostOfOne := mostPages*os.Getpagesize() - 1
	size := 0
	for i, word := range words {
		if len(word) > mostOfOne {
			return fmt.Sprintf("the argument %d of %d bytes (one may have %d)", i, len(word), mostOfOne)
		}
		size += sizeOf(word)
	}
	for _, kv := range env {
		if len(kv) > mostOfOne {
			name, _, _ := strings.Cut(kv, "=")
			return fmt.Sprintf("the variable %s of %d bytes (one may have %d)", name[:min(len(name), 64)], len(kv), mostOfOne)
		}
		size += sizeOf(kv)
	}
	return fmt.Sprintf("%d bytes of arguments and environment (%d is the most, a quarter of the stack limit)", size, mostTogether(limits))
}

// sizeOf is what a word takes: itself, the zero byte behind it, and a pointer.
func sizeOf(word string) int { return len(word) + 1 + int(unsafe.Sizeof(uintptr(0))) }

func mostTogether(limits []config.Rlimit) uint64 {
	var stack unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_STACK, &stack); err != nil {
		return leastOfAll
	}
	for _, l := range limits {
		if l.Name == "stack" {
			stack.Cur = l.Soft
		}
	}
	return max(leastOfAll, min(mostOfAll, stack.Cur/4))
}
