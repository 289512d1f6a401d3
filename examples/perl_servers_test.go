// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import (
	"slices"
	"testing"
)

// TestStarlet has a server that knows nothing but SERVER_STARTER_PORT.
func TestStarlet(t *testing.T) {
	survivesUpgrades(t, server{
		needs:   []string{"perl:Plack::Handler::Starlet", "plackup"},
		dir:     "starlet",
		options: []string{"--ack-mode", "0.5", "--max-unacked", "3", "--graceful-signal", "TERM", "--env", "server-starter"},
		program: []string{"plackup", "-s", "Starlet", "--max-workers", "1", "app.psgi"},
		traffic: hesitantTraffic,
	})
}

var (
	starmanPlain = server{
		needs:   []string{"starman", "perl:Net::Server::SS::PreFork"},
		dir:     "starman",
		options: []string{"--ack-mode", "1", "--graceful-signal", "QUIT", "--env", "server-starter"},
		program: []string{"starman", "--workers", "1", "--disable-keepalive", "app.psgi"},
	}
	starmanMended = server{
		needs:   starmanPlain.needs,
		dir:     "starman",
		options: []string{"-m", "--graceful-signal", "QUIT", "--env", "einhorn,server-starter"},
		program: []string{"starman", "-I.", "-MEinhyrningsins", "--workers", "1", "--disable-keepalive", "app.psgi"},
		traffic: hesitantTraffic,
	}
)

// TestStarman has Starman as it is, and with what a module can mend.
func TestStarman(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		meetsTheEnd(t, starmanPlain, func(v *visitor, _ *daemon) { v.wantClosed() })
	})
	t.Run("mended", func(t *testing.T) { survivesUpgrades(t, starmanMended) })
}

func TestBrokenPSGIApplication(t *testing.T) {
	s := starmanMended
	// Starman tries again for ever.
	s.options = append(slices.Clone(s.options), "--ack-timeout", "5s")
	refusesBroken(t, s, "app.psgi", "die 'broken';\n")
}
