// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
		needs:   []string{"gunicorn"},
		dir:     "gunicorn",
		options: []string{"-m", "--graceful-signal", "TERM"},
		program: []string{"gunicorn", "-k", "gthread", "--threads", "4", "-b", "fd://{fd:0}", "app:app"},
	}
)

func TestGunicorn(t *testing.T) {
	for name, s := range map[string]server{"sync": gunicornNotify, "gthread": gunicornACK} {
		t.Run(name, func(t *testing.T) {
			s.environ = []string{lighter(t)}
			s.traffic = hesitantTraffic
			survivesUpgrades(t, s)
		})
	}
}

// lighter halves what a start of gunicorn costs: it imports pkg_resources for
// applications that are called egg:…, and for nothing else.
func lighter(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pkg_resources.py"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return "PYTHONPATH=" + dir
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

func TestUvicorn(t *testing.T) {
	s := drained
	s.traffic = hesitantTraffic
	survivesUpgrades(t, s)
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

var hypercorn = server{
	needs:   []string{"hypercorn"},
	dir:     "hypercorn",
	options: []string{"-m", "--graceful-signal", "TERM"},
	program: []string{"./serve.py", "{fd:0}", "app:app"},
	traffic: hesitantTraffic,
}

func TestHypercorn(t *testing.T) { survivesUpgrades(t, hypercorn) }

// Its READY=1 comes before its worker is there, which ignores HUP for a while.
var uwsgi = server{
	needs:   []string{"uwsgi"},
	dir:     "uwsgi",
	options: []string{"--ack-mode", "fd", "--graceful-signal", "TERM"},
	program: []string{
		"uwsgi", "--ini", "uwsgi.ini", "--http-socket", "fd://{fd:0}",
		"--hook-accepting1-once", "appendn:/proc/self/fd/{ready_fd} ready",
	},
	traffic: hesitantTraffic,
	// Its worker exits when the signal comes between its accept and the mark that
	// it has a request.
	tolerates: func(got tally) error {
		cut := got.kinds[load.Closed] + got.kinds[load.Reset] + got.kinds[load.Truncated]
		if cut != got.lost || got.lost > got.sent/500 {
			return fmt.Errorf("more was lost than by connections that are cut in a drain: %d of %d", got.lost, got.sent)
		}
		return nil
	},
}

func TestUWSGI(t *testing.T) { survivesUpgrades(t, uwsgi) }

func TestBrokenPythonApplication(t *testing.T) {
	for name, s := range map[string]server{
		"gunicorn, ACK": gunicornACK, "gunicorn, notify": gunicornNotify, "hypercorn": hypercorn, "uvicorn": plain, "uwsgi": uwsgi,
	} {
		t.Run(name, func(t *testing.T) { refusesBroken(t, s, "app.py", "raise RuntimeError('broken')\n") })
	}
}

// TestDefer has silent clients, more than there are workers. With defer they
// occupy none of them, not of those either that serve one client at a time, and
// outlive those that close what they have not read from.
func TestDefer(t *testing.T) {
	for name, s := range map[string]server{"gunicorn": gunicornNotify, "starman": starmanPlain, "uvicorn": plain, "uwsgi": uwsgi} {
		t.Run(name, func(t *testing.T) {
			s.bind = "127.0.0.1:0,r,defer=3600"
			d := s.start(t)
			var silent []*visitor
			for range 4 {
				silent = append(silent, dial(t, d.addr))
			}
			if body, err := webAsk(t.Context(), d.addr); err != nil || !strings.Contains(body, "generation=1\n") {
				t.Errorf("want an answer beside silent clients, got %q, %v", body, err)
			}
			if _, err := d.client.Upgrade(t.Context(), client.Fleet, nil); err != nil {
				t.Fatal(err)
			}
			d.waitReady(t.Context(), 3)
			for _, v := range silent {
				v.nc.SetDeadline(time.Now().Add(30 * time.Second))
				if body, _ := v.ask(); !strings.Contains(body, "generation=2\n") {
					t.Errorf("want an answer of the second generation, got %q", body)
				}
				v.nc.Close()
			}
			d.stop()
		})
	}
}
