// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitCommands(t *testing.T) {
	for text, want := range map[string][][]string{
		"":                            nil,
		" ; ;\n;":                     nil,
		"status":                      {{"status"}},
		"inc 2;status":                {{"inc", "2"}, {"status"}},
		"inc\ndec\r\n status\n":       {{"inc"}, {"dec"}, {"status"}},
		`signal "a;b" 'c;d' e\;f;inc`: {{"signal", "a;b", "c;d", "e;f"}, {"inc"}},
		`a "b\";c" 'd\' e`:            {{"a", `b";c`, `d\`, "e"}},
		"inc # two; more\ndec":        {{"inc"}, {"dec"}},
		"a#b;c":                       {{"a#b"}, {"c"}},
		"''#b;c":                      {{"#b"}, {"c"}},
		"'x\ny' z":                    {{"x\ny", "z"}},
		";#;x":                        nil,
		"''":                          {{""}},
	} {
		got, err := splitCommands(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{`"`, `a 'b;c`, `a \`, `inc; "`} {
		var usage *usageError
		if got, err := splitCommands(text); !errors.As(err, &usage) {
			t.Errorf("%q: got %q, %v; want a usage error", text, got, err)
		}
	}
}

func FuzzSplitCommands(f *testing.F) {
	for _, s := range []string{"inc 2; status", `signal "a;b" 'c' \;`, "a # b\nc", "a\x00b", "'", "\xff;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		commands, err := splitCommands(text)
		if err != nil {
			return
		}
		var lines []string
		for _, words := range commands {
			for i := range words {
				words[i] = strings.ToValidUTF8(words[i], "?")
			}
			quoted := make([]string, len(words))
			for i, w := range words {
				quoted[i] = quoteWord(w)
			}
			lines = append(lines, strings.Join(quoted, " "))
		}
		again, err := splitCommands(strings.Join(lines, ";"))
		if err != nil {
			t.Fatalf("%q written as %q: %v", text, lines, err)
		}
		if diff := cmp.Diff(commands, again); diff != "" {
			t.Fatalf("%q written as %q (-first +again):\n%s", text, lines, diff)
		}
	})
}
