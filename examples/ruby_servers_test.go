// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import (
	"slices"
	"testing"
)

var (
	pumaPlain = server{
		needs:   []string{"puma", "ruby:sd_notify"},
		dir:     "puma",
		options: []string{"--ack-mode", "1", "--graceful-signal", "TERM"},
		program: []string{"puma", "-C", "-", "-t", "1:4", "--bind-to-activated-sockets=only"},
	}
	pumaMended = server{
		needs:   pumaPlain.needs,
		dir:     "puma",
		options: []string{"--ack-mode", "notify", "--graceful-signal", "TERM", "--drain-timeout", "20s"},
		program: []string{"puma", "-C", "puma.rb"},
		traffic: hesitantTraffic,
	}
	unicorn = server{
		needs:   []string{"unicorn"},
		dir:     "unicorn",
		options: []string{"-m", "--graceful-signal", "QUIT"},
		program: []string{"unicorn", "-c", "unicorn.rb"},
		traffic: hesitantTraffic,
	}
)

// TestPuma has puma as it is, and with what its configuration can mend.
func TestPuma(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		meetsTheEnd(t, pumaPlain, func(v *visitor, _ *daemon) { v.wantClosed() })
	})
	t.Run("mended", func(t *testing.T) { survivesUpgrades(t, pumaMended) })
}

func TestUnicorn(t *testing.T) { survivesUpgrades(t, unicorn) }

// TestRack has WEBrick for any Rack application, with worker.rb.
func TestRack(t *testing.T) {
	survivesUpgrades(t, server{
		needs:   []string{"rackup"},
		dir:     "rack",
		options: []string{"-m"},
		program: []string{"ruby", "serve.rb"},
		traffic: hesitantTraffic,
	})
}

func TestBrokenRackApplication(t *testing.T) {
	t.Run("puma", func(t *testing.T) { refusesBroken(t, pumaMended, "config.ru", "raise 'broken'\n") })
	t.Run("unicorn", func(t *testing.T) {
		s := unicorn
		// Its master tries again for ever.
		s.options = append(slices.Clone(s.options), "--ack-timeout", "5s")
		refusesBroken(t, s, "config.ru", "raise 'broken'\n")
	})
}
