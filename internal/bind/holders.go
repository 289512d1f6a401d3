// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"sort"
	"strconv"
	"strings"

	"einhyrningsins/internal/claim"
)

// unknownUID is a socket's owner where the system does not tell.
const unknownUID = -1

// Holder is a process that holds a socket.
type Holder struct {
	PID  int    // 0: a process that may not be looked into
	Comm string // its name, as in ps -o comm; "" if unknown
	UID  int    // the socket's owner; unknownUID
}

// String names the holder as an error message does: "server (pid 1234)".
func (h Holder) String() string {
	switch {
	case h.PID == 0 && h.UID == unknownUID:
		return "a process that we may not look into"
	case h.PID == 0:
		return fmt.Sprintf("a process of user %d", h.UID)
	case h.Comm == "":
		return fmt.Sprintf("pid %d", h.PID)
	}
	return fmt.Sprintf("%s (pid %d)", h.Comm, h.PID)
}

// How /proc/net tells the sockets that hold an address: of TCP those that listen
// (TCP_LISTEN of <net/tcp_states.h>), of UDP those that are not connected (there
// the state is TCP_CLOSE).
var holdState = map[string]string{"tcp": "0A", "udp": "07"}

// WhoHolds returns the processes that hold a socket which listens on address
// ("127.0.0.1:8080", "[::]:80") or on a wildcard that covers it, by pid; of UDP
// one that is bound there, of UNIX one that is bound to the path. A
// socket whose holders may not be looked into is one Holder without a pid. The
// answer is a snapshot, and empty when /proc does not tell.
func WhoHolds(network, address string) []Holder {
	owners := make(map[uint64]int) // inode of a socket → uid
	tables, owner := []string{"unix"}, func(line string) (uint64, int, bool) { return parseUnix(line, address) }
	if network != "unix" {
		want, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil
		}
		tables, owner = []string{network, network + "6"}, func(line string) (uint64, int, bool) {
			l, ok := parseListener(line, holdState[network])
			return l.inode, l.uid, ok && overlaps(l.at, want)
		}
	}
	for _, table := range tables {
		f, err := os.Open("/proc/self/net/" + table)
		if err != nil {
			continue
		}
		for sc := bufio.NewScanner(f); sc.Scan(); {
			if inode, uid, ok := owner(sc.Text()); ok {
				owners[inode] = uid
			}
		}
		f.Close()
	}
	if len(owners) == 0 {
		return nil
	}
	return findHolders(owners)
}

// parseUnix reads a line of /proc/net/unix; ok is false for all but a socket that
// is bound to the path. It does not tell whose it is.
func parseUnix(line, path string) (inode uint64, uid int, ok bool) {
	// Num RefCount Protocol Flags Type St Inode Path; accepted connections have the
	// path of their listener, and the state SS_CONNECTED.
	head, ok := strings.CutSuffix(line, " "+path)
	f := strings.Fields(head)
	if !ok || len(f) != 7 || f[5] != "01" {
		return 0, 0, false
	}
	inode, err := strconv.ParseUint(f[6], 10, 64)
	return inode, unknownUID, err == nil && inode != 0
}

// listener is one line of /proc/net/tcp (proc_pid_net(5)).
type listener struct {
	at    netip.AddrPort
	uid   int
	inode uint64
}

// parseListener reads a line; ok is false for sockets in other states.
func parseListener(line, state string) (l listener, ok bool) {
	// sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid timeout inode
	f := strings.Fields(line)
	if len(f) < 10 || f[3] != state {
		return l, false
	}
	at, valid := parseHex(f[1])
	uid, uerr := strconv.Atoi(f[7])
	inode, ierr := strconv.ParseUint(f[9], 10, 64)
	if !valid || uerr != nil || ierr != nil || inode == 0 {
		return l, false
	}
	return listener{at: at, uid: uid, inode: inode}, true
}

// parseHex reads an address as the kernel prints it there.
func parseHex(text string) (at netip.AddrPort, ok bool) {
	ip, port, found := strings.Cut(text, ":")
	raw, err := hex.DecodeString(ip)
	if !found || err != nil || len(raw)%4 != 0 {
		return at, false
	}
	// The kernel prints each 32-bit word of the address as a number of its own,
	// so the bytes within it are in the machine's order.
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, valid := netip.AddrFromSlice(raw)
	p, err := strconv.ParseUint(port, 16, 16)
	if !valid || err != nil {
		return at, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(p)), true
}

// lingers tells whether there are connections of the address's port, open or in
// TIME_WAIT, for which no server listens any more.
func lingers(at netip.AddrPort) bool {
	for _, table := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) > 3 && f[3] != holdState["tcp"] {
				if have, ok := parseHex(f[1]); ok && overlaps(have, at) {
					return true
				}
			}
		}
	}
	return false
}

// overlaps tells whether a socket listening on have stands in the way of want.
// Whether an IPv6 wildcard takes IPv4 too is not in the table; it is taken to.
func overlaps(have, want netip.AddrPort) bool {
	h, w := have.Addr(), want.Addr().Unmap().WithZone("")
	if have.Port() != want.Port() {
		return false
	}
	if h == w || h == netip.IPv6Unspecified() || w == netip.IPv6Unspecified() {
		return true
	}
	return h.Is4() && w.Is4() && (h.IsUnspecified() || w.IsUnspecified())
}

// findHolders looks through every process's descriptors for the sockets.
func findHolders(owners map[uint64]int) []Holder {
	var holders []Holder
	seen := make(map[uint64]bool)
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		uid, holds := -1, false
		for _, inode := range socketInodes("/proc/" + p.Name() + "/fd") {
			if owner, ok := owners[inode]; ok {
				uid, holds, seen[inode] = owner, true, true
			}
		}
		if holds {
			holders = append(holders, Holder{PID: pid, Comm: claim.Comm(pid), UID: uid})
		}
	}
	for inode, uid := range owners {
		if !seen[inode] {
			holders = append(holders, Holder{UID: uid})
		}
	}
	sort.Slice(holders, func(i, j int) bool { return holders[i].PID < holders[j].PID })
	return holders
}

// socketInodes returns the inodes of the sockets in an fd directory: each is a
// link to "socket:[inode]".
func socketInodes(dir string) []uint64 {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	var inodes []uint64
	names, _ := d.Readdirnames(-1) // a process that ends meanwhile leaves what was read
	for _, name := range names {
		link, err := os.Readlink(dir + "/" + name)
		if errors.Is(err, fs.ErrPermission) {
			return inodes
		}
		num, ok := strings.CutPrefix(link, "socket:[")
		if !ok {
			continue
		}
		if inode, err := strconv.ParseUint(strings.TrimSuffix(num, "]"), 10, 64); err == nil {
			inodes = append(inodes, inode)
		}
	}
	return inodes
}
