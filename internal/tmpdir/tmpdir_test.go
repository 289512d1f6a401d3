// SPDX-License-Identifier: GPL-3.0-or-later

package tmpdir

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, mode := range map[string]os.FileMode{"good": 0o700, "sticky": 0o777 | os.ModeSticky, "open": 0o777} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ruby, _ := exec.LookPath("ruby")
	if ruby == "" {
		t.Log("no ruby here to compare with")
	}
	for _, tt := range []struct{ environ, want string }{
		{"", "/tmp"},
		{"TMPDIR=good", dir + "/good"},
		{"TMPDIR=sticky/../good/", dir + "/good"},
		{"TMPDIR=sticky", dir + "/sticky"},
		{"TMPDIR=open TMP=good", dir + "/good"},
		{"TMPDIR=file TEMP=good", dir + "/good"},
		{"TMPDIR=" + dir + "/none TMP=file TEMP=open", "/tmp"},
		{"TEMP=sticky TMP=good", dir + "/good"},
	} {
		environ := strings.Fields(tt.environ)
		if got, ok := Find(environ); got != tt.want || !ok {
			t.Errorf("%q: got %q, %v; want %q", tt.environ, got, ok, tt.want)
		}
		if ruby == "" {
			continue
		}
		cmd := exec.Command(ruby, "-W0", "-rtmpdir", "-e", "print Dir.tmpdir")
		cmd.Env = append(environ, "PATH="+filepath.Dir(ruby))
		if out, err := cmd.Output(); err != nil || string(out) != tt.want {
			t.Errorf("%q: ruby has %q, %v; want %q", tt.environ, out, err, tt.want)
		}
	}
}
