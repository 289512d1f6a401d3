// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var (
	manPage       = filepath.Join("..", "..", "docs", "man", programName+".1")
	einhornshPage = filepath.Join("..", "..", "docs", "man", einhornshName+".1")
	completionDir = filepath.Join("..", "..", "contrib", "completion")
)

// TestCompletionFiles checks that the files which get installed are what the
// program prints; -update writes them.
func TestCompletionFiles(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var stdout, stderr bytes.Buffer
		if code := run([]string{"completion", shell}, strings.NewReader(""), &stdout, &stderr); code != 0 {
			t.Fatalf("completion %s: status %d, %s", shell, code, &stderr)
		}
		file := filepath.Join(completionDir, programName+"."+shell)
		if *update {
			if err := os.WriteFile(file, stdout.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(stdout.String(), string(got)); diff != "" {
			t.Errorf("%s is not what the program prints; run go test -update (-program +file):\n%s", file, diff)
		}
	}
}

// TestCompletionSyntax has each shell that is installed read its file.
func TestCompletionSyntax(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("no %s here", shell)
			continue
		}
		if out, err := exec.Command(path, "-n", filepath.Join(completionDir, programName+"."+shell)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
}

// TestManPageIsComplete looks for each command and option of both command
// lines in the man page, and for each item of the page among them.
func TestManPageIsComplete(t *testing.T) {
	source, err := os.ReadFile(manPage)
	if err != nil {
		t.Fatal(err)
	}
	items := map[string]bool{}
	for line := range strings.Lines(string(source)) {
		if item, ok := strings.CutPrefix(strings.TrimSpace(line), ".It "); ok {
			items[item] = true
		}
	}
	s := newSession(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})
	roots := []*cobra.Command{newRoot(s)}
	s.prefix = ""
	roots = append(roots, newShellRoot(s))
	want := map[string]bool{}
	for _, root := range roots {
		for _, cmd := range root.Commands() {
			want[manCommand(cmd.Use)] = true
		}
		root.PersistentFlags().VisitAll(func(f *pflag.Flag) { want[manOption(f)] = true })
		root.Flags().VisitAll(func(f *pflag.Flag) { want[manOption(f)] = true })
	}
	for item := range want {
		if !items[item] {
			t.Errorf("the man page has no %q", ".It "+item)
		}
	}
	for item := range items {
		if (strings.HasPrefix(item, "Ic ") || strings.HasPrefix(item, "Fl ")) && !want[item] {
			t.Errorf("the man page explains %q, which is not there", item)
		}
	}
}

// manCommand is how mdoc(7) writes the usage of a command.
func manCommand(use string) string {
	words := strings.Fields(use)
	item := "Ic " + words[0]
	for _, w := range words[1:] {
		name, optional := strings.CutPrefix(w, "[")
		if optional {
			name = strings.TrimSuffix(name, "]")
		}
		if optional {
			item += " Op"
		}
		switch {
		case strings.HasPrefix(name, "--"):
			item += " Fl " + strings.TrimPrefix(name, "-")
		case strings.Contains(name, "|"):
			item += " Cm " + strings.Join(strings.Split(name, "|"), " | ")
		case strings.HasSuffix(name, "…"):
			item += " Ar " + strings.TrimSuffix(name, "…") + " ..."
		default:
			item += " Ar " + name
		}
	}
	return item
}

func manOption(f *pflag.Flag) string {
	item := "Fl -" + f.Name
	if f.Shorthand != "" {
		item = "Fl " + f.Shorthand + " , -" + f.Name
	}
	if arg, _ := pflag.UnquoteUsage(f); arg != "" {
		item += " Ar " + arg
	}
	return item
}

// TestEinhornshManPage compares the options of the other command line.
func TestEinhornshManPage(t *testing.T) {
	source, err := os.ReadFile(einhornshPage)
	if err != nil {
		t.Fatal(err)
	}
	var items, want []string
	for line := range strings.Lines(string(source)) {
		if item, ok := strings.CutPrefix(strings.TrimSpace(line), ".It Fl "); ok {
			items = append(items, "Fl "+item)
		}
	}
	einhornshFlags().VisitAll(func(f *pflag.Flag) { want = append(want, manOption(f)) })
	if diff := cmp.Diff(want, items); diff != "" {
		t.Errorf("options and man page differ (-options +page):\n%s", diff)
	}
}

// TestEveryCommandExplainsItself: each has examples, and completion that never
// offers files.
func TestEveryCommandExplainsItself(t *testing.T) {
	for _, cmd := range newRoot(newSession(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})).Commands() {
		if cmd.Short == "" || !strings.Contains(cmd.Example, programName) || cmd.Args == nil {
			t.Errorf("%s lacks an explanation, an example or a check of its arguments", cmd.Name())
		}
		if cmd.ValidArgsFunction == nil {
			t.Errorf("%s would complete names of files", cmd.Name())
		}
	}
}
