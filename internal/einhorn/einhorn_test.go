// SPDX-License-Identifier: GPL-3.0-or-later

package einhorn

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"einhyrningsins/internal/wire"
)

// line is a document as clients send it.
func line(document string) []byte { return []byte(escaper.Replace(document)) }

func id(spelling string) json.RawMessage {
	raw, _ := json.Marshal(spelling)
	return raw
}

func TestParseRequest(t *testing.T) {
	for document, want := range map[string]wire.Request{
		"---\ncommand: help\n":                                                             {Command: "help"},
		"--- \ncommand: ehlo\nuser: ann\n":                                                 {Command: "ehlo", User: "ann"},
		"---\n:command: help\n":                                                            {Command: "help"},
		"---\n:command: :help\n:id: :a\n":                                                  {Command: "help", ID: id(":a")},
		"---\nid: 1\ncommand: set_workers\nargs:\n- '5'\n":                                 {Command: "set_workers", Args: []string{"5"}, ID: id("1")},
		"---\nid: 1\ncommand: set_workers\nargs:\n- 5\n":                                   {Command: "set_workers", Args: []string{"5"}, ID: id("1")},
		"---\ncommand: signal\nargs:\n  - :USR1\n  - true\n":                               {Command: "signal", Args: []string{"USR1", "true"}},
		"---\ncommand: signal\nargs:\n- &1 USR1\n- *1\n":                                   {Command: "signal", Args: []string{"USR1", "USR1"}},
		"---\ncommand: inc\nargs: []\n":                                                    {Command: "inc"},
		"---\ncommand: inc\nargs:\n":                                                       {Command: "inc"},
		"---\ncommand: worker:ack\npid: 12\n":                                              {Command: "worker:ack", PID: 12},
		"---\ncommand: worker:ping\npid: '12'\nrequest_id: \"a%\\n\"\n":                    {Command: "worker:ping", PID: 12, RequestID: "a%\n"},
		`--- {"command":"worker:ack","pid":12}`:                                            {Command: "worker:ack", PID: 12},
		"---\ncommand: x\nid: '1'\n":                                                       {Command: "x", ID: id(`"1"`)},
		"---\ncommand: x\nid: 0x1F\n":                                                      {Command: "x", ID: id("0x1F")},
		"---\ncommand: x\nid: 1.5\n":                                                       {Command: "x", ID: id("1.5")},
		"---\ncommand: x\nid: true\n":                                                      {Command: "x", ID: id("true")},
		"---\ncommand: x\nid: a b\n":                                                       {Command: "x", ID: id(`"a b"`)},
		"---\ncommand: x\nid: 'it''s'\n":                                                   {Command: "x", ID: id(`"it's"`)},
		"---\ncommand: x\nid: |-\n  a\n  b\n":                                              {Command: "x", ID: id(`"a\nb"`)},
		"---\ncommand: x\nid: ~\n":                                                         {Command: "x"},
		"---\ncommand: x\nid:\n":                                                           {Command: "x"},
		"--- !ruby/object:Evil\ncommand: !ruby/regexp help\n":                              {Command: "help"},
		"---\ncommand: !binary |-\n  aGVs\n  cA==\n":                                       {Command: "help"},
		"---\ncommand: !!python/object/apply:os.system help\nargs: !!x []":                 {Command: "help"},
		"---\ncommand: x\nargs:\n- aaa\n  bbb\n":                                           {Command: "x", Args: []string{"aaa bbb"}},
		"---\ncommand: x\nunknown: {a: [1, {b: c}]}\n":                                     {Command: "x"},
		"---\ncommand: config\nargs:\n- \"{number: 2, seconds: 0.5}\"\n":                   {Command: "config", Args: []string{"number=2", "seconds=0.5"}},
		"---\ncommand: config\nargs:\n- \"{:number: 2,\"\n- \":a:\"\n- \"b}\"\n":           {Command: "config", Args: []string{"number=2", "a=b"}},
		"---\ncommand: config\nargs:\n- \":config: {:number: 2}\"\n":                       {Command: "config", Args: []string{"number=2"}},
		"---\ncommand: config\nargs:\n- \"{ack_mode: {a: 1}, bind: [a, b], reexec: ~}\"\n": {Command: "config", Args: []string{"ack_mode={…}", "bind=a b", "reexec=none"}},
		"---\ncommand: config\nargs:\n- number=2\n":                                        {Command: "config", Args: []string{"number=2"}},
		"---\ncommand: config\n":                                                           {Command: "config"},
	} {
		got, err := ParseRequest(line(document))
		if err != nil {
			t.Errorf("%q: %v", document, err)
			continue
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", document, d)
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	const unparsed = "Could not parse command"
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for document, want := range map[string]string{
		"---":                                unparsed,
		"--- ":                               unparsed,
		"--- help":                           unparsed,
		"---\n- help\n":                      unparsed,
		"---\ncommand: [":                    unparsed,
		"---\ncommand: \"help":               unparsed,
		"---\ncommand: \xff":                 unparsed,
		"---\ncommand: x\nid: *a\n":          unparsed,
		"---\n<<: {command: x}\n":            unparsed,
		"---\n[a]: b\n":                      unparsed,
		"---\ncommand: x\nid: 1\na: " + deep: unparsed,
		"---\na: &a [x]\nb: *a\n":            unparsed,
		"---\na: &a " + strings.Repeat("x", maxAliased+1) + "\nb: *a\n": unparsed,
		"---\ncommand: x\nargs:" + strings.Repeat("\n- a", maxMarks):    unparsed,
		"---\ncommand: |\n a" + strings.Repeat("\n \t", maxNewlines+1):  unparsed,
		"---\ncommand: x\na: " + strings.Repeat("x", wire.MaxLine):      unparsed,
		"---\na: b\n":                            "no command",
		"---\ncommand: ''\n":                     "no command",
		"---\ncommand: ~\n":                      "no command",
		"---\ncommand: {a: b}\n":                 "no command",
		"---\ncommand: x\nid: [1]\n":             "id must be",
		"---\ncommand: x\nargs: 5\n":             "cannot x: args must be",
		"---\ncommand: x\nargs: [[a]]\n":         "cannot x: args must be",
		"---\ncommand: x\nargs: {a: b}\n":        "cannot x: args must be",
		"---\ncommand: x\npid: x\n":              "pid must be",
		"---\ncommand: x\npid: -1\n":             "pid must be",
		"---\ncommand: x\npid: [1]\n":            "pid must be",
		"---\ncommand: x\nrequest_id: {}\n":      "request_id must be",
		"---\ncommand: config\nargs: ['[1]']\n":  "takes a map",
		"---\ncommand: config\nargs: ['{a: ']\n": "takes a map",
		"---\ncommand: config\nargs: ['number']": "takes a map",
		"---\ncommand: config\nargs: ['{}']":     "the map is empty",
		"---\ncommand: x\nrequest_id: '" + strings.Repeat("x", wire.MaxRequestID+1) + "'": "request_id must be",
	} {
		_, err := ParseRequest(line(document))
		var we *wire.Error
		if !errors.As(err, &we) || we.Code != wire.BadRequest {
			t.Errorf("%.80q: got %v, want a bad_request", document, err)
			continue
		}
		if want == unparsed && we.Message != unparsed || !strings.Contains(we.Message, want) {
			t.Errorf("%.80q: got %q, want %q", document, we.Message, want)
		}
	}
}

// An error of what follows the id is answered under it.
func TestIDBesideAnError(t *testing.T) {
	r, err := ParseRequest(line("---\nargs: 1\nid: 7\ncommand: x\n"))
	if err == nil || string(r.ID) != `"7"` {
		t.Errorf("got id %s and %v", r.ID, err)
	}
}

func TestReply(t *testing.T) {
	for _, c := range []struct {
		id      json.RawMessage
		message string
		wait    bool
		want    string
	}{
		{nil, "hello", false, `---%0Amessage: "hello"%0A`},
		{nil, "a\nb%\"\\\té\x00\u2028\xff", true, `---%0Amessage: "a\nb%25\"\\\té\x00\u2028` + "\ufffd" + `"%0A`},
		{id("1"), "x", false, `---%0Amessage: "x"%0Arequest_id: 1%0A`},
		{id(`"a%"`), "x", true, `---%0Amessage: "x"%0Arequest_id: "a%25"%0Await: true%0A`},
	} {
		if got := string(Reply(c.id, c.message, c.wait)); got != c.want+"\n" {
			t.Errorf("Reply(%s, %q, %v) = %s, want %s", c.id, c.message, c.wait, got, c.want)
		}
	}
}

// TestDump has what Psych 4 makes of the same values, but for the quotes.
func TestDump(t *testing.T) {
	at := time.Date(2026, 11, 20, 13, 28, 18, 784e6, time.FixedZone("", 3600))
	got := Dump(Map{{Symbol("signaled"), Set{"USR2", "TERM"}}, {Symbol("none"), Set{}}, {Symbol("pinged_at"), at}})
	const want = `---
:signaled: !ruby/object:Set
  "hash":
    "USR2": true
    "TERM": true
:none: !ruby/object:Set
  "hash": {}
:pinged_at: 2026-11-20 12:28:18.784000000 Z
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
