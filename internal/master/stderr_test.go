// SPDX-License-Identifier: GPL-3.0-or-later

package master

import "testing"

func TestWhereStderrIsRead(t *testing.T) {
	for _, c := range []struct{ target, journal, want string }{
		{"socket:[4711]", "8:4711", "journalctl -b _PID=12"},
		{"socket:[4711]", "8:471", "where the daemon's own goes"}, // inherited; somebody has redirected stderr since
		{"socket:[4711]", "", "where the daemon's own goes"},
		{"/var/log/app.log", "8:4711", "in /var/log/app.log"},
		{"/var/log/app.log (deleted)", "", "in /var/log/app.log (deleted)"},
		{"/dev/pts/3", "", "on /dev/pts/3"},
		{"/dev/null", "", "none: it is /dev/null"},
		{"pipe:[4711]", "8:4711", "where the daemon's own goes, a pipe"},
		{"", ":", "where the daemon's own goes"}, // no /proc
	} {
		if got := written(12, c.target, c.journal); got != c.want {
			t.Errorf("%q with JOURNAL_STREAM=%q: %q, want %q", c.target, c.journal, got, c.want)
		}
	}
	if got := whereWritten(0); got != "" {
		t.Errorf("of no process: %q", got)
	}
}
