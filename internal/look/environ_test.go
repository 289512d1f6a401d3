// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"einhyrningsins/internal/link"
)

// filled is a directory with these files, name and content in turn.
func filled(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEnvDir(t *testing.T) {
	dir := filled(t,
		"PLAIN", "value\n", "FIRST", "one\ntwo\n", "NO_END", "x", "TRAILING", "  x \t \n", "NULS", "a\x00b\x00",
		"GONE", "", "EMPTY", "\n", ".hidden", "x", "A=B", "x", "odd-name", "y", "BYTES", "\xff\xfe", "CR", "x\r\n",
		"LONG", strings.Repeat("x", maxValue)+"\n"+strings.Repeat("y", maxValue))
	if err := os.Symlink("PLAIN", filepath.Join(dir, "LINK")); err != nil {
		t.Fatal(err)
	}
	e := newEnvironment([]string{"GONE=1", "PLAIN=old", "OTHER=1"})
	if err := e.readDir(dir); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"PLAIN=value", "OTHER=1", "BYTES=\xff\xfe", "CR=x\r", "EMPTY=", "FIRST=one", "LINK=value",
		"LONG=" + strings.Repeat("x", maxValue), "NO_END=x", "NULS=a\nb\n", "TRAILING=  x", "odd-name=y",
	}
	if diff := cmp.Diff(want, e.list()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEnvDirErrors(t *testing.T) {
	sub := filled(t)
	if err := os.Mkdir(filepath.Join(sub, "SUB"), 0o755); err != nil {
		t.Fatal(err)
	}
	fifo := filled(t)
	if err := syscall.Mkfifo(filepath.Join(fifo, "FIFO"), 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filled(t)
	if err := os.Symlink("nowhere", filepath.Join(dangling, "A")); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		sub:                 "SUB: it is not a regular file (d",
		fifo:                "FIFO: it is not a regular file (p",
		dangling:            "no such file",
		filled(t) + "/none": "none: no such file",
		filled(t, "A", strings.Repeat("x", maxValue+1)): "A: its first line is longer than 131072 bytes",
	} {
		if err := newEnvironment(nil).readDir(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
}

func FuzzEnvDirValue(f *testing.F) {
	for _, s := range []string{"", "\n", "a \t\nb", "a\x00b", " \t", "\x00 \n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		value, there, err := valueOf(content)
		if err != nil {
			return
		}
		if there != (len(content) > 0) || strings.IndexByte(value, 0) >= 0 {
			t.Fatalf("%q gives %q, %v", content, value, there)
		}
		if !there {
			return
		}
		again, there, err := valueOf([]byte(strings.ReplaceAll(value, "\n", "\x00") + "\n"))
		if again != value || !there || err != nil {
			t.Fatalf("%q gives %q, which written again gives %q, %v, %v", content, value, again, there, err)
		}
	})
}

func TestApplyInOrder(t *testing.T) {
	dir := filled(t, "A", "dir\n", "B", "dir\n", "C", "")
	file := filepath.Join(filled(t, "f", "B=file\nC=file\nD=file\n"), "f")
	e := newEnvironment([]string{"A=old", "Z=1", "Z=2", "SECRET=x", "odd"})
	err := e.apply(&link.LookAt{
		Env: []link.EnvSource{
			{Path: []byte(dir), Dir: true},
			{Path: []byte(file)},
			{Path: []byte(file + ".none"), Optional: true},
			{Path: []byte(dir + ".none"), Dir: true, Optional: true},
		},
		Drop: bytesOf([]string{"SECRET", "D", "NEVER"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"A=dir", "Z=1", "B=file", "C=file"}, e.list()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestApplyErrors(t *testing.T) {
	dir := filled(t, "bad", "A='")
	if err := os.WriteFile(filepath.Join(dir, "long"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "long"), maxFile+1); err != nil {
		t.Fatal(err)
	}
	for want, at := range map[string]*link.LookAt{
		"--env-file: open " + dir + "/none: no such file": {Env: []link.EnvSource{{Path: []byte(dir + "/none")}}},
		"bad: line 1: the value of \"A\"":                 {Env: []link.EnvSource{{Path: []byte(dir + "/bad"), Optional: true}}},
		"long: it is longer than":                         {Env: []link.EnvSource{{Path: []byte(dir + "/long")}}},
		"is a directory":                                  {Env: []link.EnvSource{{Path: []byte(dir)}}},
		"/dev/null: it is not a regular file":             {Env: []link.EnvSource{{Path: []byte("/dev/null")}}},
		"cannot go to the directory of --chdir: chdir " + dir + "/none: no such file": {Dir: []byte(dir + "/none")},
	} {
		if err := newEnvironment(nil).apply(at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
}
