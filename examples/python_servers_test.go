// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"einhyrningsins/bench/load"
	"einhyrningsins/client"
)

// Without configuration gunicorn says to NOTIFY_SOCKET that it is ready, and with
// --preload that is true; with gunicorn.conf.py it ACKs.
var (
	gunicornNotify = server{
		needs:   []string{"gunicorn"},
		dir:     "gunicorn",
		options: []string{"--ack-mode", "notify", "--graceful-signal", "TERM"},
		program: []string{"gunicorn", "-c", "/dev/null", "--preload", "app:app"}, // finds LISTEN_FDS
	}
	gunicornACK = server{
		needs: []string{"gunicorn"},
		dir:   "gunicorn",
		// With LISTEN_FDS beside the fd it would die.
		options: []string{"-m", "--graceful-signal", "TERM", "--env", "einhorn,server-starter"},
		program: []string{"gunicorn", "-k", "gthread", "--threads", "4", "-b", "fd://{fd:0}", "app:app"},
	}
)

func TestGunicorn(t *testing.T) {
	t.Run("sync", func(t *testing.T) { survivesUpgrades(t, gunicornNotify) })
	t.Run("gthread", func(t *testing.T) { survivesUpgrades(t, gunicornACK) })
}

func uvicorn(program ...string) server {
	return server{
		needs:   []string{"uvicorn"},
		dir:     "uvicorn",
		options: []string{"-m", "--graceful-signal", "TERM"},
		program: append(program, "{fd:0}", "app:app"),
	}
}

// plain is the server as it is, drained what the wrapper beside it makes of it.
var (
	plain   = uvicorn("uvicorn", "--no-access-log", "--fd")
	drained = uvicorn("./serve.py")
)

// cutIn tolerates that one request in n is lost as its connection was cut, and
// nothing else.
func cutIn(got tally, n int64) error {
	cut := got.kinds[load.Closed] + got.kinds[load.Reset] + got.kinds[load.Truncated]
	if cut != got.lost || got.lost > got.sent/n {
		return fmt.Errorf("more was lost than by connections that are cut in a drain: %d of %d", got.lost, got.sent)
	}
	return nil
}

func TestUvicorn(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		s := plain
		// A connection that it has accepted just before the drain is kept for as
		// long as its client likes, whatever TERM says.
		s.options = append(slices.Clone(s.options), "--drain-timeout", "3s", "--kill-timeout", "1s")
		// One whose request it has not read yet is closed; see
		// TestUvicornUnusedConnection.
		s.tolerates = func(got tally) error { return cutIn(got, 100) }
		survivesUpgrades(t, s)
	})
	t.Run("drained", func(t *testing.T) { survivesUpgrades(t, drained) })
}

// TestUvicornUnusedConnection shows whose fault it is that requests are lost, and
// that it is mended. A connection that was accepted, and on which nothing was
// sent yet, meets the end of its worker.
func TestUvicornUnusedConnection(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		meetsTheEnd(t, plain, func(v *visitor, d *daemon) { v.wantClosed() })
	})
	t.Run("drained", func(t *testing.T) {
		meetsTheEnd(t, drained, func(v *visitor, d *daemon) {
			d.waitWorkers(t.Context(), 3, 1) // the others are gone, so what is left is at it
			if body, _ := v.ask(); !strings.Contains(body, "generation=1\n") {
				t.Errorf("want an answer of the first generation, got %q", body)
			}
			v.wantClosed()
		})
	})
}

// meetsTheEnd upgrades while an accepted connection is unused.
func meetsTheEnd(t *testing.T, s server, then func(*visitor, *daemon)) {
	d := s.start(t)
	v := dial(t, d.addr)
	// Connections are accepted in their order: the one before this was accepted.
	if _, err := webAsk(t.Context(), d.addr); err != nil {
		t.Fatal(err)
	}
	if _, err := d.client.Upgrade(t.Context(), client.Fleet, nil); err != nil {
		t.Fatal(err)
	}
	then(v, d)
	d.waitReady(t.Context(), 3)
	d.stop()
}

var uwsgi = server{
	needs:   []string{"uwsgi"},
	dir:     "uwsgi",
	options: []string{"--ack-mode", "notify", "--graceful-signal", "TERM", "--env", "einhorn,server-starter"},
	program: []string{"uwsgi", "--ini", "uwsgi.ini", "--http-socket", "fd://{fd:0}"},
	// Its worker exits when the signal comes between its accept and the mark that
	// it has a request.
	tolerates: func(got tally) error { return cutIn(got, 500) },
}

func TestUWSGI(t *testing.T) { survivesUpgrades(t, uwsgi) }

func TestBrokenPythonApplication(t *testing.T) {
	for name, s := range map[string]server{
		"gunicorn, ACK": gunicornACK, "gunicorn, notify": gunicornNotify, "uvicorn": plain, "uwsgi": uwsgi,
	} {
		t.Run(name, func(t *testing.T) { refusesBroken(t, s, "app.py", "raise RuntimeError('broken')\n") })
	}
}
