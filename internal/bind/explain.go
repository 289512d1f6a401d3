// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// explain says what a person can do about a failed bind.
func explain(spec Spec, c candidate, others []*Socket, err error) string {
	at := netip.AddrPortFrom(c.ip, uint16(spec.Port))
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return explainInUse(spec, c, others)
	case errors.Is(err, unix.EACCES) && at.Port() < 1024:
		return "; a port below 1024 takes root or CAP_NET_BIND_SERVICE"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "; no interface of this machine has that address"
	case errors.Is(err, unix.EINVAL) && at.Addr().IsLinkLocalUnicast() && at.Addr().Zone() == "":
		return fmt.Sprintf("; a link-local address needs its interface, as in [%s%%eth0]:%d", at.Addr(), at.Port())
	}
	return explainShortage(err)
}

// explainShortage says what stands in the way of one more socket.
func explainShortage(err error) string {
	switch {
	case errors.Is(err, unix.ENFILE):
		return "; the whole system has no more descriptors (fs.file-max, sysctl(8))"
	case !errors.Is(err, unix.EMFILE):
		return ""
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return ""
	}
	return fmt.Sprintf("; we may have %d descriptors (RLIMIT_NOFILE): raise that limit, as with LimitNOFILE= in the unit or ulimit -n in a shell", limit.Cur)
}

// explainInUse names who holds the address, and a way out. What it proposes was
// tried.
func explainInUse(spec Spec, c candidate, others []*Socket) string {
	if other := clashing(spec, c, others); other != nil {
		return explainClash(spec, c, other)
	}
	holders := WhoHolds(networks[spec.Kind], netip.AddrPortFrom(c.ip, uint16(spec.Port)).String())
	text := ""
	if len(holders) > 0 {
		text = ": held by " + holderList(holders)
	}
	return text + wayOut(spec, c, len(holders) > 0)
}

// wayOut is what can be done about an address that is in use, by somebody whom we
// can see or not.
func wayOut(spec Spec, c candidate, held bool) string {
	tcp := spec.Kind == TCP
	only, beside, shared := spec, spec, spec
	only.V6Only, beside.ReuseAddr, shared.ReusePort = true, true, true
	switch {
	case spec.ReusePort:
		return "; with reuseport it has to be set by all who bind the address, who must be of one user"
	case c.dual && try(only, candidate{ip: c.ip}) == nil:
		return fmt.Sprintf("; that is for IPv4: to take only IPv6, add v6only: -b %s", only)
	case tcp && !spec.ReuseAddr && try(beside, c) == nil:
		return fmt.Sprintf("; connections of the last run are still there (TIME_WAIT): add r (SO_REUSEADDR) to bind at once: -b %s", beside)
	case tcp && try(shared, c) == nil:
		return fmt.Sprintf("; stop that, or add reuseport, which it has, to serve beside it: -b %s", shared)
	case held && tcp:
		return "; stop that, or take another address (to serve side by side, both need reuseport)"
	case held:
		return "; stop that, or take another address"
	case tcp && lingers(netip.AddrPortFrom(c.ip, uint16(spec.Port))):
		return "; connections of a server that was started without r are still there (TIME_WAIT): wait until they are gone, a minute, and start with r from then on"
	}
	return "; somebody has bound it who cannot be seen from here, or does not listen"
}

// clashing is the first of our own that a socket cannot be beside.
func clashing(spec Spec, c candidate, others []*Socket) *Socket {
	for _, s := range others {
		if s.Spec.Kind != spec.Kind || s.handed() || s.Spec.ReusePort && spec.ReusePort {
			continue
		}
		at, err := netip.ParseAddrPort(s.Address)
		if err == nil && int(at.Port()) == spec.Port && (s.at.covers(c) || c.covers(s.at)) {
			return s
		}
	}
	return nil
}

// covers tells whether an address takes all that is for the other one.
func (c candidate) covers(other candidate) bool {
	switch {
	case c.ip == other.ip:
		return true
	case c.ip.Is4() == other.ip.Is4():
		return c.ip.IsUnspecified()
	}
	return c.dual && c.ip.IsUnspecified()
}

// explainClash says which of two of our own should give way.
func explainClash(spec Spec, c candidate, other *Socket) string {
	text := fmt.Sprintf(": held by another -b of this same command, %s", other.Spec)
	only := other.Spec
	switch {
	case c.dual && other.at.ip.Is4():
		only = spec
	case !other.at.dual || !c.ip.Is4():
		return text + "; one of them is enough"
	}
	only.V6Only = true
	return fmt.Sprintf("%s, for IPv4; let the other one take only IPv6: -b %s", text, only)
}

// maxHolders bounds the list in an error: a server may have thousands of
// workers, and the first few say enough.
const maxHolders = 4

func holderList(holders []Holder) string {
	var names []string
	for i, h := range holders {
		if i == maxHolders {
			names = append(names, fmt.Sprintf("and %d more", len(holders)-i))
			break
		}
		if h.PID == os.Getpid() {
			names = append(names, fmt.Sprintf("another -b of this same command (pid %d)", h.PID))
			continue
		}
		names = append(names, h.String())
	}
	return strings.Join(names, ", ")
}
