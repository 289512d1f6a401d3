// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvFile(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain", "A=1\nB=2\n", "A=1|B=2"},
		{"no line break at the end", "A=1", "A=1"},
		{"nothing", "", ""},
		{"empty value", "A=\nB=", "A=|B="},
		{"blanks around the value", "  A=  1 2\t \n", "A=1 2"},
		{"blanks around the name", "\t A =1", "A=1"},
		{"comments", "# A=1\n; B=2\n  # C=3\nD=4#5\n#", "D=4#5"},
		{"a comment does not go on", "# A \\\nB=1", "B=1"},
		{"no assignment", "hello\nA=1\nbye", "A=1"},
		{"windows line ends", "A=1\r\nB=2\r\n", "A=1|B=2"},
		{"= in the value", "A=b=c", "A=b=c"},
		{"the last one wins later", "A=1\nA=2", "A=1|A=2"},
		{"no expansion", "A=$HOME ${X} `x` ~", "A=$HOME ${X} `x` ~"},
		{"single quotes", "A='x  \"y\" \\n'", `A=x  "y" \n`},
		{"single quotes over lines", "A='x\ny'\nB=1", "A=x\ny|B=1"},
		{"double quotes", `A="x 'y' \"z\" \\ \$ \` + "`" + ` \n"`, `A=x 'y' "z" \ $ ` + "`" + ` \n`},
		{"double quotes over lines", "A=\"x\ny\"", "A=x\ny"},
		{"double quotes go on", "A=\"x\\\ny\"", "A=xy"},
		{"quoted blanks count", "A=' x '  ", "A= x "},
		{"quoted parts", `A="x" 'y'"z"`, "A=xyz"},
		{"after the quotes", `A="x"y z `, "A=xy z"},
		{"quotes inside", `A=x"y" 'z'`, `A=x"y" 'z'`},
		{"goes on", "A=x\\\ny\nB=1", "A=xy|B=1"},
		{"goes on, windows", "A=x\\\r\ny\nB=1", "A=xy|B=1"},
		{"goes on with blanks", "A=x \\\n  y", "A=x   y"},
		{"goes on with nothing before", "A=\\\n  y", "A=  y"},
		{"backslash keeps a blank", "A=\\ x\\ \nB=1", "A= x |B=1"},
		{"backslash before a letter", `A=a\nb\\c\"`, `A=anb\c"`},
		{"backslash at the end", `A=x\`, "A=x"},
		{"bytes that are no text", "A=\xff\xfe\x01", "A=\xff\xfe\x01"},
		{"names that no shell takes", "export A=1\n1A=2\nA-B=3\n=4\nB=5\n\xef\xbb\xbfC=6", "B=5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, _, err := parseEnvFile([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range list {
				got = append(got, a.name+"="+a.value)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "|")); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.text, diff)
			}
		})
	}
}

func TestEnvFileTellsWhatItIgnores(t *testing.T) {
	_, ignored, err := parseEnvFile([]byte("A=1\n\nexport B=2"))
	want := []string{`line 3: ignoring "export B": not a name that a variable can have; write NAME=VALUE`}
	if diff := cmp.Diff(want, ignored); err != nil || diff != "" {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

func TestEnvFileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\nB=\x00":      "line 2 holds a zero byte",
		"A=1\nB=\"x\ny":    `line 2: the value of "B": the quotation mark " of line 2 has no counterpart`,
		"A='":              "the quotation mark ' of line 1 has no counterpart",
		"A=\"x\ny\" 'z\nw": "line 1: the value of \"A\": the quotation mark ' of line 2 has no counterpart",
		"A=\"\\":           "has no counterpart",
	} {
		if _, _, err := parseEnvFile([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want %q in it", text, err, want)
		}
	}
}

// written is a file that parses to these assignments.
func written(list []assignment) string {
	var b strings.Builder
	for i, a := range list {
		b.WriteString(a.name + "=")
		if i%2 == 0 {
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(a.value) + `"`)
		} else {
			b.WriteString("'" + strings.ReplaceAll(a.value, "'", `'"'"'`) + "'")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func FuzzEnvFile(f *testing.F) {
	for _, s := range []string{
		"A=1\nB=\"x\\\ny\"\n#c\n;d\nC='e\nf' g\\\nh", "A=\\", "A=\"\\x\"", "=\n==", "a", "A= \t\r\nB=\xff", "_9='\"'\"'\"",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, _, err := parseEnvFile(data)
		if err != nil {
			return
		}
		for _, a := range list {
			if !isName(a.name) || strings.IndexByte(a.value, 0) >= 0 {
				t.Fatalf("%q gives %q", data, a)
			}
		}
		again, ignored, err := parseEnvFile([]byte(written(list)))
		if err != nil || len(ignored) > 0 {
			t.Fatalf("%q, written as %q: %v, %q", data, written(list), err, ignored)
		}
		if diff := cmp.Diff(list, again, cmp.AllowUnexported(assignment{})); diff != "" {
			t.Fatalf("%q, written as %q (-first +again):\n%s", data, written(list), diff)
		}
	})
}
