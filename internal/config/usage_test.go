// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"slices"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	usage := Usage()
	for i, line := range strings.Split(usage, "\n") {
		if len(line) > usageWidth || strings.TrimRight(line, " ") != line || strings.Contains(line, glue) {
			t.Errorf("line %d does not fit: %q (%d bytes)", i+1, line, len(line))
		}
	}
	words := strings.Join(strings.Fields(usage), " ")
	for _, o := range Options() {
		title := strings.TrimSpace(strings.Join(o.dashed(), ", ") + " " + o.Arg)
		if strings.Count(words, title+" "+o.Help) != 1 {
			t.Errorf("usage does not have %q with its help once", title)
		}
		if text := o.DefaultText(); text != "" && !strings.Contains(words, o.Help+" (default "+text+")") {
			t.Errorf("usage does not give the default of --%s", o.Name)
		}
	}
	for _, heading := range groups {
		if !strings.Contains(usage, "\n"+heading+":\n") {
			t.Errorf("usage lacks the heading %q", heading)
		}
	}
}

// TestOptionList checks what the rest takes for granted of the list.
func TestOptionList(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range Options() {
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
	for _, line := range strings.Split(Usage(), "\n") {
		args, ok := strings.CutPrefix(line, "  einhyrningsins ")
		if !ok {
			continue
		}
		n++
		if _, err := parseArgs(strings.Fields(args)); err != nil {
			t.Errorf("the example %q fails: %v", line, err)
		}
	}
	if n < 2 {
		t.Errorf("found %d examples", n)
	}
}

func TestNearest(t *testing.T) {
	for in, want := range map[string]string{
		"numer": "number", "bnid": "bind", "verison": "version", "ack": "ack-mode", "drop-env": "drop-env-var",
		"socket_path": "socket-path", "ipv4": "ipv4-only", "frobnicate": "", "": "", "zz": "",
		strings.Repeat("number", 100): "",
	} {
		if got, ok := nearest(in); got != want || ok != (want != "") {
			t.Errorf("nearest(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
}
