// SPDX-License-Identifier: GPL-3.0-or-later

package memory

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// letGoOfProgram unmaps the pages of our binary: most were needed once, at the start,
// or were mapped only because the kernel maps 16 around each that is used. They stay
// in the page cache, and what is used again is mapped again where it is touched, which
// takes about a microsecond each, madvise(2).
func letGoOfProgram() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, s := range unwritten(maps, exe) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, s.from, s.to-s.from, unix.MADV_DONTNEED)
	}
}

// span is a range of addresses.
type span struct{ from, to uintptr }

// unwritten finds where a file is mapped and cannot have been changed in memory: not
// to be written, and without a page that was. (Relocated data is made read-only only
// after the dynamic linker has written to it.) The format is that of
// /proc/PID/smaps, proc(5):
//
//	00400000-00800000 r-xp 00000000 fe:00 1234  /usr/bin/einhyrningsins
//	Anonymous:             0 kB
func unwritten(smaps io.Reader, file string) (list []span) {
	var now span // of the file; 0: it is of another one
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		line := lines.Text()
		if words := strings.Fields(line); len(words) == 3 && words[0] == "Anonymous:" {
			if now != (span{}) && words[1] == "0" {
				list = append(list, now)
			}
			now = span{}
			continue
		}
		addresses, rest, _ := strings.Cut(line, " ")
		from, to, ok := strings.Cut(addresses, "-")
		if !ok || !strings.HasPrefix(rest, "r-") || !strings.HasSuffix(rest, " "+file) {
			continue
		}
		begin, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 == nil && err2 == nil && begin < end {
			now = span{uintptr(begin), uintptr(end)}
		}
	}
	return list
}
