// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestEinhornRequest(t *testing.T) {
	for want, r := range map[string]einhornRequest{
		`--- {"command": "inc", "args": [], "id": 1}`:                        {command: "inc", id: 1},
		`--- {"command": "signal", "args": ["usr1", "a\"b\\c"], "id": 2}`:    {command: "signal", args: []string{"usr1", `a"b\c`}, id: 2},
		`--- {"command": "ehlo", "user": "50%25\x0a"}`:                       {command: "ehlo", user: "50%\n"},
		`--- {"command": "é", "args": ["\x7f\u2028\U000e0001� 🦄"], "id": 3}`: {command: "é", args: []string{"\x7f\u2028\U000e0001\xff 🦄"}, id: 3},
	} {
		if got := r.line(); got != want+"\n" {
			t.Errorf("%+v is\n%swant\n%s", r, got, want)
		}
	}
}

func TestEinhornReply(t *testing.T) {
	for line, want := range map[string]einhornReply{
		`---%0Amessage: "done"%0Arequest_id: 1%0A`:                                                 {message: "done"},
		`---%0Amessage: "50%25 %2525\n\"\\\x1b\u2028\U0001f984\e"%0Arequest_id: 1%0Await: true%0A`: {message: "50% %25\n\"\\\x1b\u2028🦄\x1b", wait: true},
		`---%0Amessage: ""%0A`: {},
	} {
		got, err := parseEinhornReply([]byte(line))
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{
		"", `"a string"`, `{"request_id":1}`, "---", "---%0A", "---%0Await: true", `---%0Amessage: plain`, `---%0Amessage: "a`,
		`---%0Amessage: "a"b"`, `---%0Amessage: "\"`, `---%0Amessage: "\q"`, `---%0Amessage: "\x1"`, `---%0Amessage: "\uzzzz"`, `---%0Amessage: "`,
	} {
		if got, err := parseEinhornReply([]byte(line)); err == nil {
			t.Errorf("%q: got %+v, want an error", line, got)
		}
	}
}

// TestRubyReadsRequests has Ruby's YAML read what einhorn's shell sends.
func TestRubyReadsRequests(t *testing.T) {
	ruby, err := exec.LookPath("ruby")
	if err != nil {
		t.Skip("no ruby here")
	}
	const program = `require "yaml"
		r = YAML.load($stdin.read.chomp.gsub("%0A", "\n").gsub("%25", "%"))
		print [r["command"], *r["args"], r["id"]].join("|")`
	cmd := exec.Command(ruby, "-Eutf-8:utf-8", "-e", program)
	cmd.Stdin = strings.NewReader(einhornRequest{command: "signal", args: []string{"a\nb%0A\"\\", "\x00\x7f\u0085\ufeff🦄", "", ": -"}, id: 7}.line())
	out, err := cmd.CombinedOutput()
	if want := "signal|a\nb%0A\"\\|\x00\x7f\u0085\ufeff🦄||: -|7"; err != nil || string(out) != want {
		t.Errorf("got %q, %v; want %q", out, err, want)
	}
}

func FuzzEinhornReply(f *testing.F) {
	f.Add("a \"b\" 50% \n \x00 🦄")
	f.Fuzz(func(t *testing.T, text string) {
		parseEinhornReply([]byte(text)) // must not panic
		quoted := yamlString(text)
		if strings.ContainsAny(quoted, "\n\r\x00\x1b\x7f") {
			t.Fatalf("%q is quoted as %q", text, quoted)
		}
		line := escapeLine.Replace("---\nmessage: " + quoted + "\nrequest_id: 1\nwait: true\n")
		got, err := parseEinhornReply([]byte(line))
		if err != nil || !got.wait || got.message != strings.ToValidUTF8(text, "\ufffd") {
			t.Fatalf("%q came back as %+v, %v", text, got, err)
		}
	})
}
