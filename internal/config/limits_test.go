// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func init() {
	maps.Copy(accepted, map[string]func(*Config){
		"--user www --group 33":         func(c *Config) { c.User, c.Group = "www", "33" },
		"--umask 27":                    func(c *Config) { c.Limits.Umask = niceness1(0o27) },
		"--umask 0":                     func(c *Config) { c.Limits.Umask = niceness1(0) },
		"--no-new-privs":                func(c *Config) { c.Limits.NoNewPrivs = true },
		"--oom-score-adj -17":           func(c *Config) { c.Limits.OOMScoreAdj = niceness1(-17) },
		"--rlimit nofile=10:20":         func(c *Config) { c.Limits.Rlimits = []Rlimit{{"nofile", 10, 20}} },
		"--rlimit RLIMIT_CORE=infinity": func(c *Config) { c.Limits.Rlimits = []Rlimit{{"core", Infinity, Infinity}} },
		"--rlimit cpu=1 --rlimit as=2:unlimited --rlimit CPU=3": func(c *Config) {
			c.Limits.Rlimits = []Rlimit{{"as", 2, Infinity}, {"cpu", 3, 3}}
		},
	})
	maps.Copy(refused, map[string]string{
		"--user= p":                    `--user "": neither a name nor a number, as in --user www-data`,
		"--user www-data:adm p":        `--user "www-data:adm": a user and a group at once; say --user www-data --group adm, as in --user www-data`,
		"--group a:b p":                `--group "a:b": a user and a group at once; say --user a --group b`,
		"--umask 8 p":                  `--umask "8": not a number from 000 to 777, in digits from 0 to 7, as in --umask 027`,
		"--umask 1000 p":               `--umask "1000"`,
		"--oom-score-adj 1001 p":       `--oom-score-adj "1001": not a number from -1000 to 1000, as in --oom-score-adj 500`,
		"--rlimit files=1 p":           `--rlimit "files=1": there is no such limit; there are as, core, `,
		"--rlimit nofile p":            `--rlimit "nofile": there is no value in it, as in --rlimit nofile=65536`,
		"--rlimit nofile= p":           `--rlimit "nofile=": a limit is a number, or infinity`,
		"--rlimit nofile=-1 p":         "a limit is a number, or infinity",
		"--rlimit nofile=1: p":         "a limit is a number, or infinity",
		"--rlimit nofile=2:1 p":        "the first value, which holds, is more than the second",
		"--rlimit nofile=infinity:1 p": "the first value, which holds, is more than the second",
	})
}

// FuzzRlimit holds that what is read can be written and read again.
func FuzzRlimit(f *testing.F) {
	for _, s := range []string{"nofile=65536", "RLIMIT_CORE=0:infinity", "as=unlimited", "cpu=1:2", "x=1", "nofile", "=", "nproc=9223372036854775807:18446744073709551615"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRlimit(s)
		if err != nil {
			if r != (Rlimit{}) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q: %+v, %v", s, r, err)
			}
			return
		}
		again, err := ParseRlimit(r.String())
		if err != nil || again != r || r.Soft > r.Hard || !slices.Contains(rlimits, r.Name) {
			t.Errorf("%q is %+v, written as %s it is %+v, %v", s, r, r, again, err)
		}
	})
}

func TestBarred(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "a", "b")
	if err := errors.Join(os.MkdirAll(b, 0o755), os.Symlink(b, filepath.Join(dir, "link")), os.Chmod(b, 0o755), os.Chmod(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	gid := os.Getgid()
	other, member := []int{7654321}, []int{7654321, gid}
	for _, try := range []struct {
		uid    int
		groups []int
		mode   os.FileMode // of a
		path   string
		want   string
	}{
		{os.Getuid(), []int{gid}, 0o700, "a/b/sock", ""},
		{0, nil, 0, "a/b/sock", ""},
		{7654321, other, 0o700, "a/b/sock", a},
		{7654321, other, 0o700, "link/sock", a},
		{7654321, other, 0o701, "a/b/sock", dir},
		{7654321, member, 0o710, "a/b/sock", dir},
		{7654321, member, 0o701, "a/b/sock", a}, // the group's bits count
		{7654321, other, 0o755, "missing/sock", ""},
	} {
		if err := os.Chmod(a, try.mode); err != nil {
			t.Fatal(err)
		}
		as := RunAs{UID: try.uid, Groups: try.groups}
		if got := as.Barred(filepath.Join(dir, try.path)); got != try.want {
			t.Errorf("%+v, %o: %s is barred by %q, want %q", as, try.mode, try.path, got, try.want)
		}
	}
	os.Chmod(a, 0o755)
	if got := (&RunAs{UID: 7654321}).Barred("relative/path"); got != "" {
		t.Errorf("a relative path is barred by %q", got)
	}
}

func TestResolve(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may become others")
	}
	for _, try := range []struct {
		user, group string
		uid, gid    int
		groups      []int // nil: whatever they are
		login       string
		wrong       string
	}{
		{user: "", group: ""},
		{user: "0", uid: 0, gid: 0, login: "HOME=/root USER=root LOGNAME=root"},
		{user: "daemon", uid: 1, gid: 1, login: "HOME=/usr/sbin USER=daemon LOGNAME=daemon"},
		{user: "daemon", group: "7654321", uid: 1, gid: 7654321, groups: []int{7654321}, login: "HOME=/usr/sbin USER=daemon LOGNAME=daemon"},
		{user: "7654321", group: "0", uid: 7654321, gid: 0, groups: []int{0}},
		{group: "daemon", uid: 0, gid: 1},
		{user: "7654321", wrong: "cannot run workers as user 7654321: there is nothing about it in /etc/passwd, so its group has to be said, as in --user 7654321 --group 1000"},
		{user: "no such", wrong: `cannot run workers as user no such: there is no such user in /etc/passwd; numbers work without one, as in --user 1000 --group 1000`},
		{user: "4294967295", group: "0", wrong: "cannot run workers as user 4294967295: there is no such user in /etc/passwd"},
		{user: "daemon", group: "nobodys", wrong: "cannot run workers as group nobodys: there is no such group in /etc/group; numbers work without one, as in --group 1000"},
	} {
		c := &Config{User: try.user, Group: try.group}
		err := c.Resolve()
		as := c.Limits.RunAs
		switch {
		case try.wrong != "":
			if err == nil || !strings.HasPrefix(err.Error(), try.wrong) || !errors.Is(err, ErrUsage) || as != nil {
				t.Errorf("%s:%s: %v, want %s", try.user, try.group, err, try.wrong)
			}
		case err != nil:
			t.Errorf("%s:%s: %v", try.user, try.group, err)
		case try.user == "" && try.group == "":
			if as != nil {
				t.Errorf("without a user they are %+v", as)
			}
		case as == nil || as.UID != try.uid || as.GID != try.gid || as.Groups[0] != try.gid || strings.Join(c.Login, " ") != try.login ||
			try.groups != nil && !slices.Equal(as.Groups, try.groups):
			t.Errorf("%s:%s are %+v with %q", try.user, try.group, as, c.Login)
		}
	}
}
