// SPDX-License-Identifier: MIT

package childenv

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBase(t *testing.T) {
	environ := []string{
		"PATH=/bin", "EMPTY=", "NO_EQUALS",
		"EINHORN_FD_COUNT=9", "EINHORN_FD_8=11", "EINHORN_FDS=11", "EINHORN_SOCK_PATH=/old", "EINHORN_SOCK_FD=5",
		"EINHORN_MASTER_PID=1", "EINHORN_CHILD_INDEX=3", "LISTEN_FDS=1", "LISTEN_PID=2", "LISTEN_FDNAMES=a", "LISTEN_PIDFDID=1",
		"NOTIFY_SOCKET=/run/x", "READY_FD=4", "SERVER_STARTER_PORT=80=4", "SERVER_STARTER_GENERATION=2",
		"EINHORN_FD_X=mine", "EINHORN_FD_=mine", "EINHORN_OTHER=mine",
	}
	kept := []string{"PATH=/bin", "EMPTY=", "NO_EQUALS", "EINHORN_FD_X=mine", "EINHORN_FD_=mine", "EINHORN_OTHER=mine"}
	sockets := []Socket{{Address: "[::]:8080"}, {Name: "web", Host: "127.0.0.1", Address: "127.0.0.1:81"}}
	for _, try := range []struct {
		name string
		c    Contract
		want []string
	}{
		{"none", Contract{Sockets: sockets}, nil},
		{"einhorn", Contract{Dialects: Dialects{Einhorn: true}, Sockets: sockets, SockPath: "/s", MasterPID: 42}, []string{
			"EINHORN_FD_0=3", "EINHORN_FD_1=4", "EINHORN_FD_COUNT=2", "EINHORN_FDS=3 4", "EINHORN_SOCK_PATH=/s", "EINHORN_MASTER_PID=42",
		}},
		{"a connection", Contract{Dialects: Dialects{Einhorn: true}, Sockets: sockets[:1], SockPath: "/s", MasterPID: 42, SockFD: true}, []string{
			"EINHORN_FD_0=3", "EINHORN_SOCK_FD=4", "EINHORN_FD_COUNT=1", "EINHORN_FDS=3", "EINHORN_SOCK_PATH=/s", "EINHORN_MASTER_PID=42",
		}},
		{"systemd", Contract{Dialects: Dialects{Systemd: true}, Sockets: sockets}, []string{
			"LISTEN_FDS=2", "LISTEN_FDNAMES=unknown:web", "LISTEN_PID=",
		}},
		{"systemd without sockets", Contract{Dialects: Dialects{Systemd: true}}, nil},
		{"Server::Starter", Contract{Dialects: Dialects{ServerStarter: true}, Sockets: sockets}, []string{
			"SERVER_STARTER_PORT=8080=3;127.0.0.1:81=4", "SERVER_STARTER_GENERATION=7",
		}},
		{"Server::Starter without sockets", Contract{Dialects: Dialects{ServerStarter: true}}, []string{
			"SERVER_STARTER_PORT=", "SERVER_STARTER_GENERATION=7",
		}},
		{"Server::Starter with none that it can name", Contract{Dialects: Dialects{ServerStarter: true}, Sockets: []Socket{{Address: "@abstract"}}}, []string{
			"SERVER_STARTER_PORT=", "SERVER_STARTER_GENERATION=7",
		}},
	} {
		want := append(append([]string(nil), kept...), try.want...)
		if diff := cmp.Diff(want, try.c.Base(environ, 7)); diff != "" {
			t.Errorf("%s: other environment (-want +got):\n%s", try.name, diff)
		}
	}
}

// TestStarterNames has what Server::Starter's own names are made of, and what
// they cannot say.
func TestStarterNames(t *testing.T) {
	for _, try := range []struct {
		socket Socket
		want   string
	}{
		{Socket{Host: "::1", Address: "[::1]:80"}, "[::1]:80=3"},
		{Socket{Host: "::", Address: "[::]:80"}, "[::]:80=3"},
		{Socket{Host: "localhost", Address: "127.0.0.1:80"}, "localhost:80=3"},
		{Socket{Host: "0.0.0.0", Address: "0.0.0.0:80"}, "0.0.0.0:80=3"},
		{Socket{Address: "0.0.0.0:80"}, "80=3"},
		{Socket{Address: "/run/a:1"}, "/run/a:1=3"},
		{Socket{Address: "/run/a=b"}, ""},
		{Socket{Address: "/run/a;b"}, ""},
		{Socket{Address: "@abstract:80"}, ""},
		{Socket{}, ""},
	} {
		if got := starterPorts([]Socket{try.socket}); got != try.want {
			t.Errorf("%+v is %q, want %q", try.socket, got, try.want)
		}
	}
}

func TestWithIndexSharesNothing(t *testing.T) {
	base := make([]string, 1, 8)
	base[0] = "A=1"
	c := Contract{Dialects: Dialects{Einhorn: true}}
	first, second := c.WithIndex(base, 0), c.WithIndex(base, 1)
	if first[1] != "EINHORN_CHILD_INDEX=0" || second[1] != "EINHORN_CHILD_INDEX=1" {
		t.Errorf("two workers got %q and %q", first, second)
	}
	if got := (Contract{}).WithIndex(base, 0); len(got) != 1 {
		t.Errorf("without einhorn's dialect there is %q", got)
	}
}

func TestWantsPID(t *testing.T) {
	for kv, want := range map[string]bool{"A=LISTEN_PID=": false, "LISTEN_PID=": true, "LISTEN_PID2=": false, "WATCHDOG_PID=": true, "LISTEN_PID=1": false} {
		if WantsPID(kv) != want {
			t.Errorf("%s: %v", kv, !want)
		}
	}
}

func TestDialects(t *testing.T) {
	for text, want := range map[string]Dialects{
		AllDialects:              {true, true, true},
		"systemd":                {Systemd: true},
		"server-starter,einhorn": {Einhorn: true, ServerStarter: true},
		"systemd,systemd":        {Systemd: true},
	} {
		got, err := ParseDialects(text)
		if err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", text, got, err, want)
		}
		if again, err := ParseDialects(got.String()); err != nil || again != got {
			t.Errorf("%s was written as %s and read as %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "none", "einhorn,", "Systemd", "einhorn systemd"} {
		if got, err := ParseDialects(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
