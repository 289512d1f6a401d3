// SPDX-License-Identifier: MIT

package childenv

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBase(t *testing.T) {
	environ := []string{
		"PATH=/bin", "EMPTY=", "SECRET=x", "NO_EQUALS",
		"EINHORN_FD_COUNT=9", "EINHORN_FD_8=11", "EINHORN_FDS=11", "EINHORN_SOCK_PATH=/old", "EINHORN_SOCK_FD=5",
		"EINHORN_MASTER_PID=1", "EINHORN_CHILD_INDEX=3", "LISTEN_FDS=1", "LISTEN_PID=2", "LISTEN_FDNAMES=a",
		"NOTIFY_SOCKET=/run/x", "SERVER_STARTER_PORT=80=4", "SERVER_STARTER_GENERATION=2",
		"EINHORN_FD_X=mine", "EINHORN_FD_=mine", "EINHORN_OTHER=mine",
	}
	c := Contract{Sockets: 2, SockPath: "/run/s.sock", MasterPID: 42}
	want := []string{
		"PATH=/bin", "EMPTY=", "NO_EQUALS",
		"EINHORN_FD_X=mine", "EINHORN_FD_=mine", "EINHORN_OTHER=mine",
		"EINHORN_FD_0=3", "EINHORN_FD_1=4", "EINHORN_FD_COUNT=2", "EINHORN_FDS=3 4",
		"EINHORN_SOCK_PATH=/run/s.sock", "EINHORN_MASTER_PID=42",
	}
	if diff := cmp.Diff(want, c.Base(environ, []string{"SECRET", "ABSENT"})); diff != "" {
		t.Errorf("other environment (-want +got):\n%s", diff)
	}
}

func TestSockFD(t *testing.T) {
	c := Contract{Sockets: 2, SockPath: "/s", MasterPID: 42, SockFD: true}
	want := []string{
		"EINHORN_FD_0=3", "EINHORN_FD_1=4", "EINHORN_SOCK_FD=5", "EINHORN_FD_COUNT=2", "EINHORN_FDS=3 4",
		"EINHORN_SOCK_PATH=/s", "EINHORN_MASTER_PID=42",
	}
	if diff := cmp.Diff(want, c.Base([]string{"EINHORN_SOCK_FD=9"}, nil)); diff != "" {
		t.Errorf("other environment (-want +got):\n%s", diff)
	}
}

func TestWithIndexSharesNothing(t *testing.T) {
	base := make([]string, 1, 8)
	base[0] = "A=1"
	first, second := WithIndex(base, 0), WithIndex(base, 1)
	if first[1] != "EINHORN_CHILD_INDEX=0" || second[1] != "EINHORN_CHILD_INDEX=1" {
		t.Errorf("two workers got %q and %q", first, second)
	}
}
