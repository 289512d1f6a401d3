// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func (l dialect) manPage() string {
	return filepath.Join("..", "..", "docs", "man", l.program+".1")
}

// manItems returns the heading and the text of each option in the man page: the
// items of its lists that begin with an option. Requests and escapes are gone.
func manItems(t *testing.T, page string) (titles []string, texts map[string]string) {
	t.Helper()
	source, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	texts = map[string]string{}
	title := ""
	for _, line := range strings.Split(string(source), "\n") {
		switch {
		case strings.HasPrefix(line, ".It Fl "):
			title = strings.TrimPrefix(line, ".It ")
			titles = append(titles, title)
		case line == ".El" || strings.HasPrefix(line, ".Sh"):
			title = ""
		case strings.HasPrefix(line, "."):
			_, rest, _ := strings.Cut(line, " ")
			texts[title] += strings.ReplaceAll(rest, "Fl ", "-") + " "
		default:
			texts[title] += line + " "
		}
	}
	return titles, texts
}

// manTitle is how mdoc(7) writes the heading of an option.
func manTitle(o Option) string {
	title := "Fl -" + o.Name
	if o.Short != "" {
		title = "Fl " + o.Short + " , -" + o.Name
	}
	if o.Arg != "" {
		title += " Ar " + o.Arg
	}
	return title
}

// TestManPage checks that the man page has exactly the options of the list, in
// their groups, with their defaults.
func TestManPage(t *testing.T) {
	checkManPage(t, own)
	checkManPage(t, einhorn)
}

func checkManPage(t *testing.T, l dialect) {
	t.Helper()
	titles, texts := manItems(t, l.manPage())
	var want []string
	for _, o := range l.options() {
		want = append(want, manTitle(o))
	}
	sorted, wanted := slices.Sorted(slices.Values(titles)), slices.Sorted(slices.Values(want))
	if !slices.Equal(sorted, wanted) {
		t.Errorf("the man page has other options than the list:\n got %q\nwant %q", sorted, wanted)
	}
	for _, o := range l.options() {
		text := strings.Join(strings.Fields(strings.ReplaceAll(texts[manTitle(o)], "--", "-")), " ")
		if text == "" {
			t.Errorf("the man page says nothing about --%s", o.Name)
		}
		def := strings.ReplaceAll(o.DefaultText(), "--", "-")
		if def == "" {
			continue
		}
		if !strings.Contains(text, "The default is "+def) && !strings.Contains(text, "The default is the "+def) {
			t.Errorf("the man page does not say that the default of --%s is %s: %s", o.Name, def, text)
		}
	}
}
