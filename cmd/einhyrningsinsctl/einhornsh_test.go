// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strings"
	"testing"
)

func TestEinhornshCommandLine(t *testing.T) {
	dir := t.TempDir()
	for line, want := range map[string]string{
		"":                       dir + "/einhorn.sock",
		"web":                    dir + "/einhorn-web.sock",
		"-c web":                 dir + "/einhorn-web.sock",
		"-cweb other":            dir + "/einhorn-web.sock",
		"--command-name=web":     dir + "/einhorn-web.sock",
		"--COMM web":             dir + "/einhorn-web.sock",
		"web -e state":           dir + "/einhorn-web.sock state",
		"-e state -e inc web":    dir + "/einhorn-web.sock inc",
		"-d s -c web --ex=state": "s state",
		"--socket-path=s -- web": "s",
		"-- -c":                  dir + "/einhorn--c.sock",
		"-h -d s":                "s help",
		"a b":                    "cannot speak to both \"a\" and \"b\": there is one NAME; commands go after -e, as in -e \"inc; state\"",
		"--command":              "flag needs an argument: --command",
		"-x":                     "unknown shorthand flag: 'x' in -x",
		"--socket-path-":         "unknown flag: --socket-path-",
	} {
		o, err := parseEinhornsh(strings.Fields(line), []string{"TMPDIR=" + dir})
		got := o.path
		if o.execute != nil {
			got += " " + *o.execute
		}
		if o.help {
			got += " help"
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func FuzzEinhornshCommandLine(f *testing.F) {
	f.Add("-c web -e inc;state")
	f.Add("--comm=a b -h")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Fields(line)
		o, err := parseEinhornsh(args, []string{"TMPDIR=/tmp"})
		if err != nil {
			return
		}
		if o.path == "" && !o.help {
			t.Fatalf("%q: no path", args)
		}
		if again, err := parseEinhornsh(append([]string{"-d", "/x"}, args...), nil); err != nil || again.help != o.help {
			t.Fatalf("%q: with -d before it %+v, %v", args, again, err)
		}
	})
}
