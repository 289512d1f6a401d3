// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import (
	"errors"
	"io"
	"slices"
	"syscall"
	"testing"

	"einhyrningsins/client"
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
		bind:    "127.0.0.1:0,r,defer",
		options: []string{"--ack-mode", "notify", "--graceful-signal", "TERM"},
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

// TestPumaBusyConnections has as many kept connections as puma has threads, each
// with one request after the other: puma has to end all the same.
func TestPumaBusyConnections(t *testing.T) {
	s := pumaMended
	s.environ = []string{"THREADS=1"}
	d := s.start(t)
	busy := dial(t, d.addr)
	// Each new connection wakes all three pumas. The one without a free thread
	// then waits for one before it looks at anything else, its own end included.
	for range 100 {
		busy.ask()
		if _, err := webAsk(t.Context(), d.addr); err != nil {
			t.Fatal(err)
		}
	}
	upgraded := make(chan error, 1)
	go func() {
		_, err := d.client.Upgrade(t.Context(), client.Fleet, nil)
		upgraded <- err
	}()
	// It may be closed between two requests, or say so with the last answer.
	for last := false; !last; {
		busy.send(get)
		if _, err := busy.in.Peek(1); errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			break
		}
		_, last = busy.receive()
	}
	busy.nc.Close()
	if err := <-upgraded; err != nil {
		t.Fatal(err)
	}
	d.waitReady(t.Context(), 3)
	d.stop()
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
