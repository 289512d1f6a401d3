// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hold starts a process that holds the socket, too, until the test ends.
func hold(t *testing.T, s *Socket) int {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(s.FD), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	cmd := exec.Command("cat")
	cmd.ExtraFiles = []*os.File{f}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestWhoHolds(t *testing.T) {
	s := mustOpen(t, "127.0.0.1:0", AnyFamily)
	address := s.Address
	pids := map[int]bool{hold(t, s): true, hold(t, s): true}
	if holders := WhoHolds("tcp", address); len(holders) != 3 {
		t.Fatalf("WhoHolds(%s) = %v; want this process and two more", address, holders)
	}
	s.Close()
	holders := WhoHolds("tcp", address)
	if len(holders) != 2 {
		t.Fatalf("WhoHolds(%s) = %v; want two", address, holders)
	}
	for _, h := range holders {
		if !pids[h.PID] || h.Comm != "cat" || h.UID != os.Getuid() {
			t.Errorf("holder %+v, want cat, one of %v", h, pids)
		}
	}
	if holders[0].PID >= holders[1].PID {
		t.Errorf("not ordered by pid: %v", holders)
	}
	port := netip.MustParseAddrPort(address).Port()
	for _, wildcard := range []string{"0.0.0.0", "[::]"} {
		if got := WhoHolds("tcp", fmt.Sprintf("%s:%d", wildcard, port)); len(got) != 2 {
			t.Errorf("WhoHolds(%s) = %v; want the same two", wildcard, got)
		}
	}
	if got := WhoHolds("tcp", fmt.Sprintf("127.0.0.2:%d", port)); len(got) != 0 {
		t.Errorf("another address of the same port is held by %v", got)
	}
	_, err := Open(mustParse(t, address), AnyFamily, 0)
	want := fmt.Sprintf("held by cat (pid %d), cat (pid %d)", holders[0].PID, holders[1].PID)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v lacks %q", err, want)
	}
}

func TestWhoHoldsNothing(t *testing.T) {
	for _, address := range []string{"", "nonsense", "127.0.0.1:0"} {
		if got := WhoHolds("tcp", address); len(got) != 0 {
			t.Errorf("WhoHolds(%q) = %v", address, got)
		}
	}
}

func TestInUseBySelf(t *testing.T) {
	s := mustOpen(t, "127.0.0.1:0", AnyFamily)
	_, err := OpenAll(t.Context(), []Spec{mustParse(t, s.Address)}, AnyFamily, 0)
	if err == nil || !strings.Contains(err.Error(), "another -b of this same command") {
		t.Errorf("error does not say that we hold it ourselves: %v", err)
	}
}

func TestHolderList(t *testing.T) {
	many := []Holder{{UID: 33}, {PID: 1 << 29}, {PID: 1<<29 + 1, Comm: "a"}, {PID: 1<<29 + 2, Comm: "b"}, {}, {}}
	want := "a process of user 33, pid 536870912, a (pid 536870913), b (pid 536870914), and 2 more"
	if got := holderList(many); got != want {
		t.Errorf("holderList = %q, want %q", got, want)
	}
}

func TestOverlaps(t *testing.T) {
	for _, c := range []struct {
		have, want string
		yes        bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"0.0.0.0:80", "127.0.0.1:80", true},
		{"[::]:80", "127.0.0.1:80", true},
		{"[::]:80", "[::1]:80", true},
		{"0.0.0.0:80", "[::1]:80", false},
		{"[::1]:80", "0.0.0.0:80", false},
		{"[::1]:80", "[::]:80", true},
		{"127.0.0.1:80", "[::]:80", true},
		{"[fe80::1]:80", "[fe80::1%lo]:80", true},
	} {
		if got := overlaps(netip.MustParseAddrPort(c.have), netip.MustParseAddrPort(c.want)); got != c.yes {
			t.Errorf("overlaps(%s, %s) = %v", c.have, c.want, got)
		}
	}
}

// TestBacklog reads the queue's limit back: of a listening socket the kernel
// tells it in tcpi_sacked (tcp_get_info).
func TestBacklog(t *testing.T) {
	limit := maxBacklog()
	for backlog, want := range map[int]int{0: limit, 7: min(7, limit), 1 << 30: limit} {
		s, err := Open(mustParse(t, "127.0.0.1:0"), AnyFamily, backlog)
		if err != nil {
			t.Fatal(err)
		}
		info, err := unix.GetsockoptTCPInfo(s.FD, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if int(info.Sacked) != want {
			t.Errorf("backlog %d became %d, want %d", backlog, info.Sacked, want)
		}
		s.Close()
	}
}

func FuzzParseListener(f *testing.F) {
	f.Add("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0")
	f.Add("   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 1000 0 7 1")
	f.Add("  sl  local_address rem_address   st")
	f.Fuzz(func(t *testing.T, line string) {
		l, ok := parseListener(line, "0A")
		if ok && (!l.at.IsValid() || l.inode == 0) {
			t.Fatalf("parseListener(%q) = %+v", line, l)
		}
	})
}

func FuzzParseUnix(f *testing.F) {
	f.Add("ffff9d: 00000002 00000000 00010000 0001 01 31337 /run/a b.sock", "/run/a b.sock")
	f.Add("ffff9d: 00000003 00000000 00000000 0001 03 31337", "")
	f.Fuzz(func(t *testing.T, line, path string) {
		if inode, _, ok := parseUnix(line, path); ok && (inode == 0 || !strings.HasSuffix(line, path)) {
			t.Fatalf("parseUnix(%q, %q) = %d", line, path, inode)
		}
	})
}
