// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"strings"
	"testing"
)

// TestServersDrainAtTheirSignal where none was given.
func TestServersDrainAtTheirSignal(t *testing.T) {
	for line, want := range map[string]string{
		"gunicorn app:app":                         "TERM",
		"/usr/local/bin/puma -C puma.rb":           "TERM",
		"bundle exec unicorn -c unicorn.rb":        "QUIT",
		"python3 -m uvicorn --fd 3":                "TERM",
		"/usr/bin/plackup -s Starlet app.psgi":     "TERM",
		"/usr/bin/env A=1 NGINX={fd};  nginx -c c": "QUIT",
		"env A=1":                   "USR2",
		"plackup -s Other app.psgi": "USR2",
		"bundle exec":               "USR2",
		"server --backend puma":     "USR2",
		"gunicorn-wrapper":          "USR2",
		"--graceful-signal USR2 -- gunicorn app:app": "USR2",
		"--graceful-signal HUP -- server":            "HUP",
	} {
		got, err := parseArgs(strings.Fields(line))
		if err != nil || SignalName(got.GracefulSignal) != want {
			t.Errorf("%q: %+v, %v; want %s", line, got, err, want)
		}
	}
	e, err := readEinhorn(strings.Fields("gunicorn app:app"), nil)
	if err != nil || SignalName(e.cfg.GracefulSignal) != "USR2" {
		t.Errorf("by einhorn's name it is %+v, %v", e, err)
	}
}
