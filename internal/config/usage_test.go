// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

func TestUsage(t *testing.T) {
	checkUsage(t, Usage(), own)
	checkUsage(t, EinhornUsage(), einhorn)
	for _, heading := range groups {
		if !strings.Contains(Usage(), "\n"+heading+":\n") {
			t.Errorf("usage lacks the heading %q", heading)
		}
	}
	if !strings.HasPrefix(EinhornUsage(), "## Usage\n") || strings.Count(EinhornUsage(), "\n"+einhornGroup+"\n") != 1 {
		t.Errorf("einhorn's usage has other headings:\n%s", EinhornUsage())
	}
}

func checkUsage(t *testing.T, usage string, l dialect) {
	t.Helper()
	for i, line := range strings.Split(usage, "\n") {
		if len(line) > usageWidth || strings.TrimRight(line, " ") != line || strings.Contains(line, glue) {
			t.Errorf("line %d does not fit: %q (%d bytes)", i+1, line, len(line))
		}
	}
	words := strings.Join(strings.Fields(usage), " ")
	for _, o := range l.options() {
		title := strings.TrimSpace(strings.Join(o.dashed(), ", ") + " " + o.Arg)
		if strings.Count(words, title+" "+o.Help) != 1 {
			t.Errorf("usage does not have %q with its help once", title)
		}
		if text := o.DefaultText(); text != "" && !strings.Contains(words, o.Help+" (default "+text+")") {
			t.Errorf("usage does not give the default of --%s", o.Name)
		}
	}
}

var usageTitle = regexp.MustCompile(`(?m)^  (?:-(\w), |    )--([a-z0-9-]+)`)

// TestUsageIsWhatIsAccepted: in both directions, and for each command line, the
// usage text names exactly the options that are not refused as unknown.
func TestUsageIsWhatIsAccepted(t *testing.T) {
	candidates := []string{"usage", "config", "no-quiet", "daemon", "log-level", "plugin"}
	for char := '!'; char < utf8.RuneSelf; char++ {
		if char != '-' && char != '=' {
			candidates = append(candidates, string(char))
		}
	}
	for _, o := range append(Options(), EinhornOptions()...) {
		candidates = append(candidates, o.Name)
	}
	for usage, l := range map[string]dialect{Usage(): own, EinhornUsage(): einhorn} {
		var listed []string
		for _, m := range usageTitle.FindAllStringSubmatch(usage, -1) {
			listed = append(listed, m[2])
			if m[1] != "" {
				listed = append(listed, m[1])
			}
		}
		for _, name := range append(candidates, listed...) {
			word := "--" + name
			if len(name) == 1 {
				word = "-" + name
			}
			flags, err := l.flags(new(draft))
			if err != nil {
				t.Fatal(err)
			}
			var unknown *pflag.NotExistError
			known := !errors.As(flags.Parse([]string{word}), &unknown)
			if known != slices.Contains(listed, name) {
				t.Errorf("%s: %s is accepted: %v, and listed: %v", l.program, word, known, !known)
			}
		}
		if len(listed) < 20 {
			t.Errorf("%s: only %q are listed", l.program, listed)
		}
	}
}

// TestOptionList checks what the rest takes for granted of the list.
func TestOptionList(t *testing.T) {
	checkOptionList(t, own, groups)
	checkOptionList(t, einhorn, []string{einhornGroup})
}

func checkOptionList(t *testing.T, l dialect, groups []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, o := range l.options() {
		for _, name := range o.dashed() {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		if len(o.Short) > 1 || o.Name == "" || o.Help == "" || strings.HasSuffix(o.Help, ".") || !slices.Contains(groups, o.Group) {
			t.Errorf("--%s is not complete: %+v", o.Name, o)
		}
		v := o.value(new(draft))
		if v.bool != (o.Arg == "") {
			t.Errorf("--%s: argument %q, but takes none: %v", o.Name, o.Arg, v.bool)
		}
		for _, arg := range append([]string{o.Example, o.Default}, o.words...) {
			if err := v.Set(arg); arg != "" && err != nil {
				t.Errorf("--%s does not take its own %q: %v", o.Name, arg, err)
			}
		}
		if o.Arg != "" && o.Example == "" {
			t.Errorf("--%s has no example", o.Name)
		}
	}
}

// TestExamples parses the command lines that the usage text shows.
func TestExamples(t *testing.T) {
	n := 0
	for _, line := range strings.Split(Usage()+EinhornUsage(), "\n") {
		words := strings.Fields(line)
		var err error
		switch {
		case strings.Contains(line, "[OPTIONS]") || !strings.HasPrefix(line, "  "):
			continue
		case words[0] == own.program:
			_, err = read(words[1:])
		case words[0] == einhorn.program:
			_, err = readEinhorn(words[1:], nil)
		default:
			continue
		}
		n++
		if err != nil {
			t.Errorf("the example %q fails: %v", line, err)
		}
	}
	if n < 3 {
		t.Errorf("found %d examples", n)
	}
}

func TestNearest(t *testing.T) {
	for in, want := range map[string]string{
		"numer": "number", "bnid": "bind", "verison": "version", "ack": "ack-mode", "drop-env": "drop-env-var",
		"socket_path": "socket-path", "ipv4": "ipv4-only", "frobnicate": "", "": "", "zz": "",
		strings.Repeat("number", 100): "",
	} {
		if got, ok := own.nearest(in); got != want || ok != (want != "") {
			t.Errorf("nearest(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
}

// Einhorn's -m has a value, so people write one.
func TestManualTakesNoValue(t *testing.T) {
	for line, want := range map[string]string{
		"-m manual p":       "cannot use -m with a value: it means --ack-mode manual by itself; leave manual out, or write -- before a program of that name",
		"-vm notify p":      "cannot use -vm with a value: it means --ack-mode manual; write --ack-mode notify, or -- before",
		"--manual exec:x p": "write --ack-mode exec:x, or -- before",
		"-n 2 -m 1.5 p":     "write --ack-mode 1.5, or -- before",
		"-m=notify p":       `cannot use -m, --manual "notify": takes no value, since it means --ack-mode manual; write --ack-mode notify`,
		"--manual=0.5 p":    "write --ack-mode 0.5",
	} {
		if _, err := parseArgs(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	if cfg, err := parseArgs([]string{"-m", "--", "notify"}); err != nil || !slices.Equal(cfg.Program, []string{"notify"}) {
		t.Errorf("a program called notify: %+v, %v", cfg, err)
	}
}
