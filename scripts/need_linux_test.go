// SPDX-License-Identifier: GPL-3.0-or-later

// Package scripts holds tests of the scripts that have side effects on a
// machine. There is nothing else in it.
package scripts

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// aptGet is what a package of a server does to a machine. It fails if services
// would be started, now.
const aptGet = `#!/bin/sh
[ "$1" = install ] || exit 0
sh "$NEED_ROOT/usr/sbin/policy-rc.d"
[ $? = 101 ] || { echo started >"$NEED_ROOT/started"; exit 1; }
cd "$NEED_ROOT/etc" || exit 1
mkdir -p systemd/system/timers.target.wants
ln -s /lib/new.service systemd/system/multi-user.target.wants/new.service
ln -s /lib/new.service systemd/system/alias.service
ln -s /lib/new.timer systemd/system/timers.target.wants/new.timer
ln -s /lib/getty@.service systemd/system/getty@tty1.service
ln -s /dev/null systemd/system/masked.service
for n in 2 3; do ln -s ../init.d/new rc$n.d/S01new; done
ln -s ../init.d/new rc0.d/K01new
printf '#!/bin/sh\n' >"$NEED_ROOT/bin/thing"
chmod 755 "$NEED_ROOT/bin/thing"
[ -z "$FAILS" ] || exit 100
`

func TestNeedEnablesNothing(t *testing.T) {
	for _, fails := range []string{"", "yes"} {
		root := t.TempDir()
		for _, dir := range []string{"bin", "usr/sbin", "etc/systemd/system/multi-user.target.wants", "etc/rc0.d", "etc/rc2.d", "etc/rc3.d"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		for _, link := range []string{"etc/systemd/system/multi-user.target.wants/old.service", "etc/rc2.d/S01old"} {
			if err := os.Symlink("/lib/old.service", filepath.Join(root, link)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(root, "bin/apt-get"), []byte(aptGet), 0o777); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("./need", "sh", "thing")
		cmd.Env = append(os.Environ(), "NEED_ROOT="+root, "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"), "FAILS="+fails)
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "need: installing thing\n" {
			t.Errorf("%v: %s", err, out)
		}
		want := []string{
			"bin/apt-get", "bin/thing",
			"etc/rc0.d/K01new", "etc/rc2.d/K01new", "etc/rc2.d/S01old", "etc/rc3.d/K01new",
			"etc/systemd/system/getty@tty1.service", "etc/systemd/system/masked.service", "etc/systemd/system/multi-user.target.wants/old.service",
		}
		if diff := cmp.Diff(want, filesIn(t, root)); diff != "" {
			t.Errorf("apt-get fails: %q; what is there (-want +got):\n%s", fails, diff)
		}
	}
}

func TestNeedSaysWhatIsMissing(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	cmd := exec.Command(bash, "need", "no-such-thing", "perl:No::Such")
	cmd.Env = []string{"PATH=" + t.TempDir()} // no apt-get either
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "*** MISSING: no-such-thing perl:No::Such\n") || strings.Contains(string(out), "installing") {
		t.Errorf("%v: %s", err, out)
	}
}

func filesIn(t *testing.T, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			list = append(list, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
