// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"strings"
	"testing"

	"einhyrningsins/internal/childenv"
)

// TestOneWayToASocket has programs that are told the descriptor, which would take it
// twice if they found it by LISTEN_FDS, too.
func TestOneWayToASocket(t *testing.T) {
	for line, want := range map[string]string{
		"-b :80 -- p -b fd://{fd:0}":                            "einhorn,server-starter",
		"-b :80 -- sh -c {fd:0}":                                "einhorn,server-starter",
		"-b :80 -- p {{fd:0}} {index}":                          childenv.AllDialects,
		"-b :80 --env systemd -- p {fd:0}":                      "systemd",
		"-b :80 --env " + childenv.AllDialects + " -- p {fd:0}": childenv.AllDialects,
	} {
		got, err := parseArgs(strings.Fields(line))
		if err != nil || got.Dialects.String() != want {
			t.Errorf("%q: %v, %v; want %s", line, got, err, want)
		}
	}
}
