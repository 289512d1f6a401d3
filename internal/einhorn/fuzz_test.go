// SPDX-License-Identifier: GPL-3.0-or-later

package einhorn

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"einhyrningsins/internal/wire"
)

// slow is more than any line may take: a busy machine is no fault, but the
// parser alone would take a quarter of a minute for the worst.
const slow = 3 * time.Second

// FuzzParseRequest: whatever comes, the answer is quick, and an id that was
// understood is echoed so that it is understood as the same.
func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		"---%0Acommand: set_workers%0Aargs:%0A- '5'%0Aid: 1%0A", `--- {"command":"worker:ack","pid":1}`,
		"---%0Acommand: config%0Aargs:%0A- \"{:number: 2}\"%0A", "---%0A:id: :a%0A:command: x%0A",
		"---%0Ax: &a !binary |-%0A  /w==%0Aid: *a%0Acommand: !a b%0A", "---%0Aa: |%0A b%0A%0A%0A", "---%0A? a%0A: b%0A...%0A---%0A",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		begun := worked(t)
		r, err := ParseRequest(in)
		if took := worked(t) - begun; took > slow {
			t.Fatalf("took %v", took)
		}
		if err == nil && r.Command == "" {
			t.Fatal("no command, and no error")
		}
		if len(r.ID) == 0 {
			return
		}
		echo := Reply(r.ID, "x", true)
		if i := strings.IndexByte(string(echo), '\n'); i != len(echo)-1 {
			t.Fatalf("not one line: %q", echo)
		}
		n, perr := parse(unescaper.Replace(string(echo[:len(echo)-1])))
		if perr != nil {
			t.Fatalf("id %s is echoed as %q: %v", r.ID, echo, perr)
		}
		got := n.get("request_id")
		if idOf(got) == nil || string(idOf(got)) != string(r.ID) || len(n.keys) != 3 {
			t.Fatalf("id %s comes back as %q", r.ID, got.text)
		}
	})
}

// FuzzReply: any message comes back as it was.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{"", "a\nb", "%0A%25", "\"\\: - #", ":symbol", "\x00\x7f\u0085\u2028\ufeff\U0001f984\U000e0001", "\xff", " a ", "\r\n\t"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message string) {
		if len(message) > 4096 {
			return
		}
		out := Reply(nil, message, false)
		want := strings.ToValidUTF8(message, "\ufffd")
		if !utf8.Valid(out) {
			t.Fatalf("not UTF-8: %q", out)
		}
		n, err := parseTrusted(unescaper.Replace(string(out)))
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if got := n.get("message"); got.kind != kindText || got.plain || len([]rune(got.text)) != len([]rune(want)) && utf8.ValidString(message) || utf8.ValidString(message) && got.text != want {
			t.Fatalf("%q comes back as %q", message, got.text)
		}
	})
}

// FuzzDump: what is dumped is read back with the same keys and texts.
func FuzzDump(f *testing.F) {
	f.Add("a", "b", 1, true)
	f.Add(": x", "- \n", -5, false)
	f.Add("", "\"", 0, true)
	f.Fuzz(func(t *testing.T, key, value string, number int, flag bool) {
		if !utf8.ValidString(key) || !utf8.ValidString(value) || len(key)+len(value) > 4096 {
			return
		}
		out := Dump(Map{
			{Symbol("state"), Map{{number, value}, {"k" + key, Set{value}}, {Symbol("empty"), Map{}}}},
			{Symbol("at"), time.Unix(int64(number), 0)},
			{Symbol("list"), []any{value, nil, number, flag, []any{}, Map{{Symbol("a"), value}}}},
		})
		n, err := parseTrusted(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		state, list := n.get("state"), n.get("list")
		if len(state.items) != 3 || state.items[0].text != value || state.keys[1] != "k"+key || state.items[1].get("hash").keys[0] != value {
			t.Fatalf("state came back otherwise: %s", out)
		}
		if len(list.items) != 6 || list.items[0].text != value || list.items[5].get("a").text != value {
			t.Fatalf("list came back otherwise: %s", out)
		}
	})
}

// FuzzConfig: a map becomes words, or there is an error; quickly.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{"{number: 2}", "{:number: 2, :a: [b]}", "config: {x: y}", "a=b", "&a {b: c}", "{a: {b: {}}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := wire.Request{Command: wire.Config, Args: []string{text}}
		begun := worked(t)
		err := configWords(&r)
		if took := worked(t) - begun; took > slow {
			t.Fatalf("took %v", took)
		}
		if err != nil || text == "" {
			return
		}
		for _, word := range r.Args {
			if !strings.Contains(word, "=") {
				t.Fatalf("%q makes %q", text, r.Args)
			}
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
	})
}

// worked is the processors' time that this process has had: what else the machine does
// is no fault of the parser's.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestWorstDocuments tries what the parser is slowest with, up to the limits.
func TestWorstDocuments(t *testing.T) {
	units := []string{"\n", "\n\n \n", "- ", "-\n", "[", "{a", "[]\n", "? ", "&a ", "!a ", "|\n", "#", "\"a\"\n", "- |\n", "\\\n"}
	opens := []string{"", "a: \"", "a: |+\n ", "a: >\n ", "a: [\n", "? "}
	var worst time.Duration
	var which string
	for _, unit := range units {
		for _, open := range opens {
			for _, text := range worstOf(open, unit, "x ") {
				if !bounded(text) {
					t.Fatalf("%q is beyond the limits", open+unit)
				}
				begun := worked(t)
				_, _ = parse(text)
				if took := worked(t) - begun; took > worst {
					worst, which = took, open+unit
				}
			}
		}
	}
	t.Logf("the worst took %v: %q", worst, which)
	if worst > slow {
		t.Errorf("%q took %v", which, worst)
	}
}

// worstOf fills a line with padding and as many units as the limits let pass:
// first, last and all over. The more marks, the shorter.
func worstOf(open, unit, pad string) (texts []string) {
	for _, marks := range []int{maxMarks, maxMarks / 2, maxWork / wire.MaxLine} {
		many := (marks - len(open)) / len(unit)
		if strings.Trim(unit, "\n ") == "" {
			many = min(many, (maxNewlines-1)/strings.Count(unit, "\n"))
		}
		room := min(wire.MaxLine, maxWork/marks) - len(open) - many*len(unit)
		padding := strings.Repeat(pad, room/len(pad))
		all := strings.Repeat(unit, many)
		step := strings.Repeat(pad, len(padding)/len(pad)/many)
		texts = append(texts, open+padding+all, open+all+padding, open+strings.Repeat(unit+step, many))
	}
	return texts
}
