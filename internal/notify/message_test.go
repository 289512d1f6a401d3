// SPDX-License-Identifier: GPL-3.0-or-later

package notify

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func text(s string) *string                    { return &s }
func span(d time.Duration) *time.Duration      { return &d }
func unexported() cmp.Option                   { return cmp.AllowUnexported(Message{}) }
func same(a, b Message) string                 { return cmp.Diff(a, b, unexported(), cmpopts.EquateEmpty()) }
func joined(lines ...string) (datagram string) { return strings.Join(lines, "\n") }

func TestWhatAssignmentsMean(t *testing.T) {
	for datagram, want := range map[string]Message{
		"":          {},
		"\n\n":      {},
		"READY=1":   {Ready: true},
		"READY=1\n": {Ready: true},
		"READY=0":   {Others: []string{"READY"}},
		"READY=":    {Others: []string{"READY"}},
		"READY":     {Others: []string{"READY"}},
		" READY=1":  {Others: []string{" READY"}},

		// As C's programs and Windows' end their lines, and systemd reads them.
		"READY=1\x00":                   {Ready: true},
		"READY=1\x00STOPPING=1":         {Ready: true},
		"\x00READY=1":                   {},
		"READY=1\r\nSTATUS=a b\r\n\r\n": {Ready: true, Status: text("a b")},

		joined("READY=1", "STATUS=up", "MAINPID=7", "MAINPID=8"): {Ready: true, Status: text("up"), Others: []string{"MAINPID"}},

		"STATUS=":                            {Status: text("")},
		"STATUS=a=b":                         {Status: text("a=b")},
		"STATUS=\x1b[31m\tü\xff":             {Status: text(`\x1b[31m\tü` + "\uFFFD")},
		"STOPPING=1":                         {Stopping: true},
		"WATCHDOG=1":                         {Alive: true},
		"WATCHDOG=trigger":                   {Faulty: true},
		"WATCHDOG=2":                         {Others: []string{"WATCHDOG"}},
		"WATCHDOG_USEC=1500000":              {Watchdog: span(1500 * time.Millisecond)},
		"WATCHDOG_USEC=0":                    {Watchdog: span(0)},
		"WATCHDOG_USEC=-1":                   {Others: []string{"WATCHDOG_USEC"}},
		"EXTEND_TIMEOUT_USEC=2":              {Extend: 2 * time.Microsecond},
		"EXTEND_TIMEOUT_USEC=x":              {Others: []string{"EXTEND_TIMEOUT_USEC"}},
		"BARRIER=1":                          {barrier: true},
		"A=\nB=\nC=\nD=\nE=\nB=2":            {Others: []string{"A", "B", "C", "D"}},
		"WATCHDOG_USEC=18446744073709551615": {Watchdog: span(0)},

		"EXTEND_TIMEOUT_USEC=18446744073709551615": {Extend: longest},
		"EXTEND_TIMEOUT_USEC=18446744073709551616": {Others: []string{"EXTEND_TIMEOUT_USEC"}},
		"EXTEND_TIMEOUT_USEC=-1":                   {Others: []string{"EXTEND_TIMEOUT_USEC"}},
		"EXTEND_TIMEOUT_USEC=0":                    {},
		"WATCHDOG_USEC=":                           {Others: []string{"WATCHDOG_USEC"}},
	} {
		if diff := same(want, parse([]byte(datagram))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", datagram, diff)
		}
	}
}

func TestLaterWordsCount(t *testing.T) {
	var m Message
	for _, datagram := range []string{"STATUS=a\nREADY=1", "STATUS=b\nEXTEND_TIMEOUT_USEC=5", "EXTEND_TIMEOUT_USEC=3\nWATCHDOG=1"} {
		m.add(parse([]byte(datagram)))
	}
	want := Message{Ready: true, Alive: true, Status: text("b"), Extend: 5 * time.Microsecond}
	if diff := same(want, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("READY=1\nSTATUS=ä\x00\xff"))
	f.Add([]byte("WATCHDOG_USEC=99999999999999999999\nEXTEND_TIMEOUT_USEC=1"))
	f.Add([]byte("STATUS=" + strings.Repeat("ä", maxStatus)))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		m := parse(datagram)
		if again := parse(datagram); same(m, again) != "" {
			t.Errorf("%q is not the same twice", datagram)
		}
		texts := m.Others
		if m.Status != nil {
			texts = append(texts, *m.Status)
		}
		for _, s := range texts {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || len(s) > 10*maxStatus {
				t.Errorf("%q is shown as %q", datagram, s)
			}
		}
		if len(m.Others) > maxOthers || m.Extend < 0 || m.Extend > longest || m.Watchdog != nil && (*m.Watchdog < 0 || *m.Watchdog > longest) {
			t.Errorf("%q is taken for %+v", datagram, m)
		}
	})
}
