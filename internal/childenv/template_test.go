// SPDX-License-Identifier: MIT

package childenv

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var fourSockets = []string{"", "web", "2x", "web"}

func TestNamesSocket(t *testing.T) {
	for word, want := range map[string]bool{
		"fd://{fd:0}": true, "{fd:web}": true, "a{index}{fd:9}": true,
		"": false, "{index}": false, "{ready_fd}": false, "{{fd:0}}": false, "{fd:}": false, "{fd: 0}": false,
	} {
		if got := NamesSocket([]string{"server", word}); got != want {
			t.Errorf("%q: %v", word, got)
		}
	}
}

func TestWords(t *testing.T) {
	for word, want := range map[string]string{
		"{fd:0}": "3", "fd://{fd:3}": "fd://6", "{fd:web}": "4", "{fd:2x}/{fd:1}": "5/4",
		"{index}": "5", "a{index}b{generation}c": "a5b9c", "{index}{index}": "55",
		"": "", "{": "{", "}": "}", "{}": "{}", "{fd}": "{fd}", "{fd:}": "{fd:}", "{fd:a b}": "{fd:a b}", "{fd:0": "{fd:0",
		"{Index}": "{Index}", "{fd:{fd:0}}": "{fd:3}", "${index}": "$5", "{ index }": "{ index }", "{pid}": "{pid}",
		"{{index}}": "{index}", "{{fd:0}}": "{fd:0}", "{{fd:99}}": "{fd:99}", "{{{index}}}": "{{index}}", "{{index}": "{5", "{index}}": "5}",
		"{{{index}": "{{5", "{{pid}}": "{{pid}}", "{{index}}{index}": "{index}5", "{\"a\":{index}}": "{\"a\":5}",
	} {
		w, err := ParseTemplate([]string{"{index}", word}, 1, fourSockets, 0)
		if err != nil {
			t.Errorf("%s: %v", word, err)
			continue
		}
		if diff := cmp.Diff([]string{"{index}", want}, w.For(5, 9)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", word, diff)
		}
	}
}

func TestWordsOfNoSocket(t *testing.T) {
	for _, try := range []struct {
		word, want string
		names      []string
	}{
		{"x{fd:4}", "there is no socket {fd:4}, but {fd:0}, {fd:web}, {fd:2x}, {fd:3}", fourSockets},
		{"{fd:00}", "there is no socket {fd:00}, but {fd:0}", []string{""}},
		{"{fd:-1}", "there is no socket {fd:-1}, but {fd:0}", []string{""}},
		{"{fd:99999999999999999999}", "there is no socket {fd:99999999999999999999}, but {fd:0}", []string{""}},
		{"{fd:Web}", "there is no socket {fd:Web}, but {fd:web}", []string{"web"}},
		{"{index}{fd:0}", "there is no socket {fd:0}, for there is none at all", nil},
	} {
		_, err := ParseTemplate([]string{try.word}, 0, try.names, 0)
		var wrong *SocketError
		if !errors.As(err, &wrong) || wrong.In != try.word || err.Error() != try.want {
			t.Errorf("%s: %v; want %s", try.word, err, try.want)
		}
	}
}

// TestWordsCostNothing: arguments in which nothing depends on a worker are all
// the same list.
func TestWordsCostNothing(t *testing.T) {
	w, err := ParseTemplate([]string{"p", "{fd:0}", "x"}, 1, []string{""}, 0)
	if n := testing.AllocsPerRun(100, func() { w.For(1, 1) }); err != nil || n > 0 {
		t.Errorf("%v allocations, %v", n, err)
	}
}

// FuzzWords holds that braces double what they hold to, and that what has no
// special word in it is as it was.
// placeholder is one, whether or not there is such a socket.
var placeholder = regexp.MustCompile(`\{(index|generation|ready_fd|fd:[!-9;-z|~]+)\}`)

func FuzzWords(f *testing.F) {
	for _, s := range []string{"{fd:0}", "fd://{fd:web}", "{{index}}", "{{{generation}", "a{index}b", "{fd:9}", "{}{fd:", "{fd:{fd:0}}", "{{fd:9}}", "{{ready_fd}}"} {
		f.Add(s)
	}
	names := []string{"", "web"}
	f.Fuzz(func(t *testing.T, word string) {
		w, err := ParseTemplate([]string{word}, 0, names, 0)
		var wrong *SocketError
		if err != nil {
			if !errors.As(err, &wrong) || !strings.Contains(word, wrong.Word) || wrong.In != word {
				t.Fatalf("%q: %#v", word, err)
			}
			right, err := ParseTemplate(wrong.Right, 0, names, 0)
			if err != nil || !slices.Equal(right.For(0, 0), []string{"3", "4"}) {
				t.Fatalf("%q: %q are not right: %v", word, wrong.Right, err)
			}
			return
		}
		got := w.For(7, 8)[0]
		if !strings.Contains(word, "index}") && !strings.Contains(word, "generation}") && !strings.Contains(word, "ready_fd}") && !strings.Contains(word, "{fd:") && got != word {
			t.Errorf("%q has become %q", word, got)
		}
		escaped := placeholder.ReplaceAllString(word, "{$0}")
		again, err := ParseTemplate([]string{escaped}, 0, names, 0)
		if err != nil || again.For(7, 8)[0] != word {
			t.Errorf("%q, written as %q, is %q, %v", word, escaped, again.For(7, 8), err)
		}
	})
}
