// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenTooMany: an own word for a limit of the system.
func TestOpenTooMany(t *testing.T) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	one := mustOpen(t, "127.0.0.1:0", AnyFamily)
	room := unix.Rlimit{Cur: uint64(one.FD + spare), Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &room); err != nil {
		t.Fatal(err)
	}
	_, err := OpenAll(t.Context(), []Spec{mustParse(t, "127.0.0.1:0")}, AnyFamily, 0)
	if !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "cannot serve 1 sockets: too many open files for anything else; we may have") {
		t.Errorf("%v", err)
	}
	few := unix.Rlimit{Cur: 3, Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{"127.0.0.1:0", "udp:127.0.0.1:0", "unix:@" + t.Name()} {
		_, err := Open(mustParse(t, spec), AnyFamily, 0)
		if !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "we may have 3 descriptors (RLIMIT_NOFILE): raise that limit") {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
