// SPDX-License-Identifier: GPL-3.0-or-later

package claim

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhatCannotBeRemovedIsSaid(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p")
	p, err := put(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if os.Geteuid() == 0 { // root may remove anything, so this thread is somebody else for files, setfsuid(2)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if _, err := unix.SetfsuidRetUid(65534); err != nil {
			t.Fatal(err)
		}
		defer unix.SetfsuidRetUid(0)
	}
	if err := p.Remove(); err == nil || !strings.Contains(err.Error(), "cannot remove pid file "+path+": permission denied") {
		t.Errorf("%v", err)
	}
}
