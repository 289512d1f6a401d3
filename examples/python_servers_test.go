// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import "testing"

func TestGunicorn(t *testing.T) {
	for name, class := range map[string][]string{
		"sync":    nil,
		"gthread": {"-k", "gthread", "--threads", "4"},
	} {
		t.Run(name, func(t *testing.T) {
			survivesUpgrades(t, server{
				needs:   []string{"gunicorn"},
				dir:     "gunicorn",
				options: []string{"-m", "--graceful-signal", "TERM", "--env", "einhorn,server-starter"},
				program: append([]string{"gunicorn", "-b", "fd://{fd:0}", "app:app"}, class...),
			})
		})
	}
}
