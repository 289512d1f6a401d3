// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitSequence(t *testing.T) {
	for text, want := range map[string][][]string{
		"":                         nil,
		" ;; \n":                   nil,
		"inc;dec":                  {{"inc"}, {"dec"}},
		"signal usr1 'a;b' \"c;\"": {{"signal", "usr1", "a;b", "c;"}},
		"config {number: 5} #x":    {{"config", "{number:", "5}", "#x"}},
		"inc\n2":                   {{"inc", "2"}},
		`a "x\ny\"z\$" q\ w e""f`:  {{"a", `x\ny"z$`, "q w", "ef"}},
		`a '\' ""`:                 {{"a", `\`, ""}},
		`a \; b\`:                  {{"a", ";", `b\`}},
	} {
		got, err := splitSequence(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{`a 'b`, `a "b`, `"\"`} {
		if got, err := splitSequence(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}

// TestSplitsAsRubyDoes compares with the library that einhorn's shell uses.
func TestSplitsAsRubyDoes(t *testing.T) {
	ruby, err := exec.LookPath("ruby")
	if err != nil {
		t.Skip("no ruby here")
	}
	parts := []string{"a", " ", "#", `\`, `"`, "'", "é", "$", "\t", "{b:"}
	var texts []string
	for n := range 4000 {
		var b strings.Builder
		for x := n*n*31%999983 + 1; x > 0; x /= len(parts) {
			b.WriteString(parts[x%len(parts)])
		}
		texts = append(texts, b.String())
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	const program = `require "json"; require "shellwords"
		puts JSON.generate(JSON.parse($stdin.read).map { |t| begin; Shellwords.shellsplit(t); rescue ArgumentError; nil; end })`
	cmd := exec.Command(ruby, "-Eutf-8:utf-8", "-e", program)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ruby: %v", err)
	}
	var want [][]string
	if err := json.Unmarshal(out, &want); err != nil || len(want) != len(texts) {
		t.Fatalf("%d answers for %d texts: %v", len(want), len(texts), err)
	}
	for i, text := range texts {
		got, err := splitSequence(text)
		var words []string
		if len(got) > 0 {
			words = got[0]
		}
		if (err != nil) != (want[i] == nil) || err == nil && strings.Join(words, "\x00") != strings.Join(want[i], "\x00") {
			t.Errorf("%q: got %q, %v; ruby has %q", text, words, err, want[i])
		}
	}
}

func FuzzSplitSequence(f *testing.F) {
	f.Add(`inc 2; signal "a;b" 'c' \d`)
	f.Fuzz(func(t *testing.T, text string) {
		commands, err := splitSequence(text)
		if err != nil {
			return
		}
		var again []string
		for _, words := range commands {
			for i, w := range words {
				words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
			}
			again = append(again, strings.Join(words, " "))
		}
		got, err := splitSequence(strings.Join(again, ";"))
		if err != nil || len(got) != len(commands) {
			t.Fatalf("%q: %q, and of that %q, %v", text, commands, got, err)
		}
	})
}
