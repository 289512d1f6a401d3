// SPDX-License-Identifier: GPL-3.0-or-later

package claim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPrintable(t *testing.T) {
	if got := printable("a\x1b[1m\xff"); strings.Contains(got, "\x1b") || strings.Contains(got, "\xff") || !strings.HasPrefix(got, "a?[1m") {
		t.Errorf("printable = %q", got)
	}
}

// TestHolderOf: who has a lock is known though the file says nothing, as on a full
// disk, or another one's number.
func TestHolderOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	for _, text := range []string{"", "1\n", "nonsense"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			t.Fatal(err)
		}
		if lockedBy(f) == 0 {
			t.Skip("this file system does not tell who has a lock")
		}
		if got, want := holderOf(f), nameOf(os.Getpid()); got != want {
			t.Errorf("of %q: %s, want %s", text, got, want)
		}
		if _, _, err := Lock(filepath.Join(t.TempDir(), "s"), path); err == nil || !strings.Contains(err.Error(), nameOf(os.Getpid())+" has it") {
			t.Errorf("of %q: %v", text, err)
		}
		f.Close()
	}
}
