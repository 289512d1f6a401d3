// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
)

// The test's own binary is the program that looks.
func TestMain(m *testing.M) {
	if status, ok := Main(os.Args[1:]); ok {
		os.Exit(status)
	}
	if filepath.Base(os.Args[0]) == "einhorn" {
		asked := new(config.AskedToLook)
		if _, err := config.ParseEinhorn(os.Args[1:], os.Environ()); errors.As(err, &asked) {
			os.Exit(Arrived(asked.FD, asked.Program))
		}
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// noSleep keeps the race detector from sleeping for a second at each exit.
const noSleep = "GORACE=atexit_sleep_ms=0"

// world is a directory with a program in it, bin/prog, that prints its name.
func world(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	script(t, filepath.Join(dir, "bin", "prog"), "echo "+name)
	return dir
}

func script(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// run looks in a process of its own. It returns the answers and what the process
// said on standard error.
func run(t *testing.T, at *link.LookAt, env ...string) (answers []link.Received, words string, err error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	conn, theirs, err := link.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Send(at)
	var stderr bytes.Buffer
	cmd := &exec.Cmd{
		Path: exe, Args: []string{link.LookName, link.LookFlag, "3", exe}, Env: append([]string{"PATH=/bin:/usr/bin", noSleep}, env...),
		Dir: t.TempDir(), ExtraFiles: []*os.File{theirs}, Stderr: &stderr,
	}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	for in := range conn.In() {
		answers = append(answers, in)
		t.Cleanup(func() { link.CloseFDs(in.FDs) })
	}
	err = cmd.Wait()
	return answers, stderr.String(), err
}

// sees looks and expects that something was seen.
func sees(t *testing.T, at *link.LookAt, env ...string) (*link.Saw, []int) {
	t.Helper()
	answers, words, err := run(t, at, env...)
	if err != nil || len(answers) != 1 || words != "" {
		t.Fatalf("%d answers, %v, said %q", len(answers), err, words)
	}
	saw, ok := answers[0].Msg.(*link.Saw)
	if !ok || len(answers[0].FDs) != 2 {
		t.Fatalf("the answer is %+v", answers[0])
	}
	return saw, answers[0].FDs
}

// checkFDs checks what the descriptors of an answer are.
func checkFDs(t *testing.T, fds []int, dir, program string) {
	t.Helper()
	for i, path := range []string{dir, program} {
		var open, there unix.Stat_t
		if err := unix.Fstat(fds[i], &open); err != nil {
			t.Fatal(err)
		}
		if err := unix.Stat(path, &there); err != nil || open.Ino != there.Ino || open.Dev != there.Dev {
			t.Errorf("descriptor %d is not %s: %v", i, path, err)
		}
	}
}

func TestLooksWithoutAWrapper(t *testing.T) {
	dir := world(t, "one")
	current := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(dir, current); err != nil {
		t.Fatal(err)
	}
	odd := "\xff\xfe"
	saw, fds := sees(t, &link.LookAt{
		Program: bytesOf([]string{"bin/prog", "-x", odd}), Dir: []byte(current), Drop: bytesOf([]string{"SECRET"}),
	}, "SECRET=1", "ODD="+odd)
	want := &link.Saw{
		Program: bytesOf([]string{"bin/prog", "-x", odd}), Path: []byte("bin/prog"), Script: true,
		Env:      bytesOf([]string{"PATH=/bin:/usr/bin", noSleep, "ODD=" + odd, "PWD=" + dir}),
		Resolved: []byte(dir + "/bin/prog"), Directory: []byte(dir),
	}
	if diff := cmp.Diff(want, saw); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkFDs(t, fds, dir, dir+"/bin/prog")
}

// A script of Windows is known by its first line, as much as the kernel reads of it.
func TestReadScript(t *testing.T) {
	for text, want := range map[string][2]bool{
		"":                      {},
		"#":                     {},
		"\x7fELF\r\n":           {},
		"#!":                    {true, false},
		"#!/bin/sh\n":           {true, false},
		"#!/bin/sh\nexit 0\r\n": {true, false},
		"#!/bin/sh\r\n":         {true, true},
		"#!/usr/bin/env sh\r\n": {true, true},
		"#!/bin/sh\r":           {true, false}, // no line of Windows
		"#!/" + strings.Repeat("x", 300) + "\r\n": {true, false},
	} {
		path := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if script, windows := readScript(path); [2]bool{script, windows} != want {
			t.Errorf("%q: got %v, %v", text, script, windows)
		}
	}
}

// Paths and names of variables need not be text.
func TestPathsAndNamesAreBytes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "\xff")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("names are text here: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "A"), []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	saw, _ := sees(t, At(&config.Config{
		Program: []string{"bin/prog"}, Dir: world(t, "one"), DropEnvVars: []string{"N\xfe"},
		Env: []config.EnvSource{{Path: dir, Dir: true}},
	}, false), "N\xfe=1")
	if env := wordsOf(saw.Env); !slices.Contains(env, "A=1") || slices.Contains(env, "N\xfe=1") {
		t.Errorf("the environment is %q", env)
	}
}

func TestFindsTheProgramOnThePathThatArrives(t *testing.T) {
	dir := world(t, "one")
	env := filled(t, "PATH", "bin:/nowhere\n")
	saw, fds := sees(t, &link.LookAt{
		Program: bytesOf([]string{"prog"}), Dir: []byte(dir), Env: []link.EnvSource{{Path: []byte(env), Dir: true}},
	})
	if string(saw.Path) != "bin/prog" || string(saw.Resolved) != dir+"/bin/prog" {
		t.Errorf("found %s, which is %s", saw.Path, saw.Resolved)
	}
	checkFDs(t, fds, dir, dir+"/bin/prog")
}

func TestLooksThroughAWrapper(t *testing.T) {
	dir := world(t, "two")
	wrapper := filepath.Join(t.TempDir(), "wrapper")
	script(t, wrapper, `test "$1" = "a b" || exit 9; test -z "$SECRET" || exit 8; shift; cd `+dir+`; export NEW=1 DROPPED=back; exec "$@"`)
	saw, fds := sees(t, &link.LookAt{
		Program: bytesOf([]string{"bin/prog", "--", "-x"}), ReexecAs: bytesOf([]string{wrapper, "a b"}), Drop: bytesOf([]string{"SECRET", "DROPPED"}),
	}, "SECRET=1", "DROPPED=1")
	env := wordsOf(saw.Env)
	if !slices.Contains(env, "NEW=1") || !slices.Contains(env, "DROPPED=back") || slices.Contains(env, "SECRET=1") {
		t.Errorf("the environment is %q", env)
	}
	if diff := cmp.Diff([]string{"bin/prog", "--", "-x"}, wordsOf(saw.Program)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkFDs(t, fds, dir, dir+"/bin/prog")
}

func TestLooksThroughEinhornsWrapper(t *testing.T) {
	dir, bin := world(t, "two"), t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(bin, "einhorn")); err != nil {
		t.Fatal(err)
	}
	wrapper := filepath.Join(bin, "wrapper")
	script(t, wrapper, `test "$1" = --with-state-fd || exit 9; cd `+dir+`; exec einhorn "$@"`)
	_, fds := sees(t, &link.LookAt{
		Program: bytesOf([]string{"bin/prog"}), ReexecAs: bytesOf([]string{"wrapper"}), Einhorn: true,
	}, "PATH="+bin+":/bin:/usr/bin")
	checkFDs(t, fds, dir, dir+"/bin/prog")
}

func TestBlind(t *testing.T) {
	dir := world(t, "one")
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	prog := bytesOf([]string{"bin/prog"})
	dangling, wrong := filepath.Join(t.TempDir(), "current"), filepath.Join(t.TempDir(), "current")
	for from, to := range map[string]string{dangling: "rel/7", wrong: "one"} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	for want, at := range map[string]*link.LookAt{
		"cannot go to the directory of --chdir: chdir /nowhere/x: no such file":                  {Program: prog, Dir: []byte("/nowhere/x")},
		"cannot execute program bin/prog: no such file":                                          {Program: prog},
		"(its mode is 0644), from " + dir:                                                        {Program: bytesOf([]string{"./plain"}), Dir: []byte(dir)},
		"no such file or directory (" + dangling + " leads to rel/7)":                            {Program: prog, Dir: []byte(dangling)},
		"no such file or directory (" + wrong + " leads to one)":                                 {Program: bytesOf([]string{wrong + "/bin/none"})},
		"cannot find program no-such-prog in PATH (/bin:/usr/bin)":                               {Program: bytesOf([]string{"no-such-prog"})},
		"the command of --reexec-as cannot be run: cannot find program no-such-wrapper":          {Program: prog, ReexecAs: bytesOf([]string{"no-such-wrapper"})},
		"the command of --reexec-as cannot be run: execute " + dir + "/empty: exec format error": {Program: prog, ReexecAs: bytesOf([]string{dir + "/empty"})},
	} {
		if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
		answers, words, err := run(t, at)
		if err != nil || len(answers) != 1 {
			t.Fatalf("%s: %d answers, %v, said %q", want, len(answers), err, words)
		}
		if b, ok := answers[0].Msg.(*link.Blind); !ok || !strings.Contains(b.Reason, want) {
			t.Errorf("the answer is %+v, want %q in it", answers[0].Msg, want)
		}
	}
}

func TestWrapperThatClosesTheDescriptor(t *testing.T) {
	wrapper := filepath.Join(t.TempDir(), "wrapper")
	script(t, wrapper, `exec 3>&-; exec "$@"`)
	answers, words, err := run(t, &link.LookAt{Program: bytesOf([]string{"sh"}), ReexecAs: bytesOf([]string{wrapper})})
	if err == nil || len(answers) != 0 || !strings.Contains(words, "it must leave descriptors open") {
		t.Errorf("%d answers, %v, said %q", len(answers), err, words)
	}
}

// Twenty thousand variables, more than a socket's buffer takes at once.
func TestNothingIsTruncated(t *testing.T) {
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "VARIABLE_%d=%s\n", i, strings.Repeat("x", 100))
	}
	file := filepath.Join(filled(t, "f", text.String()), "f")
	saw, _ := sees(t, &link.LookAt{Program: bytesOf([]string{"sh"}), Env: []link.EnvSource{{Path: []byte(file)}}})
	if len(saw.Env) != 20_002 {
		t.Errorf("%d variables arrived", len(saw.Env))
	}
	_, _, err := see([]string{"sh"}, []string{"A=" + strings.Repeat("x", maxWorld)})
	if err == nil || !strings.Contains(err.Error(), "bytes of arguments and environment") {
		t.Errorf("the error is %v", err)
	}
}

func TestFirstStaysWhereItIs(t *testing.T) {
	dir := world(t, "one")
	t.Setenv("KEPT_FOR_NOW", "1")
	before := workingDir()
	in, err := First(&config.Config{
		Program: []string{"bin/prog"}, Dir: dir, DropEnvVars: []string{"KEPT_FOR_NOW"}, DropUpgraded: true,
		ReexecAs: []string{"false"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer link.CloseFDs(in.FDs)
	saw := in.Msg.(*link.Saw)
	if string(saw.Directory) != dir || !slices.Contains(wordsOf(saw.Env), "KEPT_FOR_NOW=1") {
		t.Errorf("saw %s and %q", saw.Directory, wordsOf(saw.Env))
	}
	checkFDs(t, in.FDs, dir, dir+"/bin/prog")
	_, err = First(&config.Config{Program: []string{"bin/none"}, Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "cannot execute program bin/none") {
		t.Errorf("the error is %v", err)
	}
	if after := workingDir(); after != before {
		t.Errorf("now in %s, was in %s", after, before)
	}
}

func TestFromARemovedDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	in, err := First(&config.Config{Program: []string{"/bin/sh"}})
	if err != nil {
		t.Fatal(err)
	}
	defer link.CloseFDs(in.FDs)
	if len(in.FDs) != 2 {
		t.Errorf("%d descriptors", len(in.FDs))
	}
}
