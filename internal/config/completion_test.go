// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the completion files in contrib/completion")

func completionFile(program, shell string) string {
	return filepath.Join("..", "..", "contrib", "completion", program+"."+shell)
}

// TestCompletionFiles keeps the files that are installed the same as what the
// list of options makes.
func TestCompletionFiles(t *testing.T) {
	for _, l := range []dialect{own, einhorn} {
		for _, shell := range Shells {
			testCompletionFile(t, l, shell)
		}
	}
	if _, err := Completion("einhorn", "tcsh"); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "bash, zsh, fish") {
		t.Errorf("Completion(tcsh): %v", err)
	}
}

func testCompletionFile(t *testing.T, l dialect, shell string) {
	t.Helper()
	want, err := Completion(l.program, shell)
	if err != nil {
		t.Fatal(err)
	}
	path := completionFile(l.program, shell)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is out of date; go test ./internal/config -run Completion -update rewrites it", path)
	}
	for _, o := range l.options() {
		for _, name := range o.dashed() {
			if shell == "fish" {
				name = map[bool]string{true: " -s " + o.Short, false: " -l " + o.Name}[len(name) == 2]
			}
			if !strings.Contains(want, name) {
				t.Errorf("%s completion does not know %s", path, name)
			}
		}
	}
}

// TestCompletionSyntax lets each shell that is here read its script.
func TestCompletionSyntax(t *testing.T) {
	for i := range 2 * len(Shells) {
		program, shell := Programs[i/len(Shells)], Shells[i%len(Shells)]
		t.Run(program+"/"+shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip("not installed")
			}
			script, _ := Completion(program, shell)
			cmd := exec.Command(path, "-n")
			if shell == "fish" {
				cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
			}
			cmd.Stdin = strings.NewReader(script)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestBashCompletes asks the function as bash would: line is cut into words at
// spaces, and at ":" and "=" as COMP_WORDBREAKS has it.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	dir := t.TempDir()
	for _, name := range []string{"server-one", "server-two"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"--upgrade-":                     "--upgrade-check --upgrade-retries",
		"--upgrade f":                    "fleet",
		"--upgrade = f":                  "fleet",
		"--upgrade =":                    "smooth fleet",
		"--graceful-signal US":           "USR1 USR2",
		"-n 4 --log-format j":            "json",
		"-n ":                            "",
		"-n 4 server-":                   "server-one server-two",
		"-n 4 -- server-":                "server-one server-two",
		"-b 127.0.0.1 : 80 server-t":     "server-two",
		"-b [ :: 1] : 80,r -v server-t":  "server-two",
		"-b : 80 server-t":               "server-two",
		"--bind = : 80 --ver":            "--verbose --version",
		"-n4 -v -d /x server-o":          "server-one",
		"server-one --ver":               "",
		"-r 1 server-one -n 4 --upgrade": "",
		"einhorn -m m":                   "manual",
		"einhorn -m manual server-t":     "server-two",
		"einhorn --with":                 "--with-state-fd",
		"einhorn --drain":                "",
	} {
		words := strings.Split(line, " ")
		if words[0] != einhorn.program {
			words = append([]string{own.program}, words...)
		}
		script, err := Completion(words[0], "bash")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(bash, append([]string{"--norc", "-c", script + `
			COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
			_` + words[0] + `
			printf '%s\n' "${COMPREPLY[@]}"`, "bash"}, words...)...)
		cmd.Env = []string{"PATH=" + dir}
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		got := strings.Fields(string(out))
		slices.Sort(got)
		wanted := strings.Fields(want)
		slices.Sort(wanted)
		if err != nil || !slices.Equal(got, wanted) {
			t.Errorf("%q completes to %q, %v; want %q", line, got, err, wanted)
		}
	}
}
