// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/claim"
)

// Socket is one socket that is bound, and listens unless it is for datagrams.
type Socket struct {
	Spec    Spec
	FD      int    // close-on-exec; blocking unless Spec.NonBlock; -1 once closed
	Name    string // for LISTEN_FDNAMES and {fd:NAME}; "": none
	Network string // as the package net has it: tcp, udp, unix, unixgram, unixpacket
	Address string // as bound, with the real port: "127.0.0.1:8080", "[::]:80", "/run/web.sock", "@web"

	path *claim.Path // to remove at the end; nil: none
}

// Close closes the socket, and removes its path while it is ours. A second
// Close does nothing. It is not safe for concurrent use.
func (s *Socket) Close() error {
	if s.FD < 0 {
		return nil
	}
	s.path.Remove()
	fd := s.FD
	s.FD = -1
	if err := unix.Close(fd); err != nil {
		return fmt.Errorf("cannot close %s: %w", s.Address, err)
	}
	return nil
}

// CloseAll closes all of them.
func CloseAll(sockets []*Socket) {
	for _, s := range sockets {
		s.Close()
	}
}

// OpenAll opens what the specs ask for, in their order; a spec for systemd may
// give several. When one fails, nothing is left of the others. Addresses are
// bound as far as family allows; backlog is that of listen(2), 0 for the
// system's maximum.
//
// Errors match [ErrUsage], or wrap the errno that the system gave. OpenAll may
// block on name resolution, and on another keeper at work in the same directory;
// ctx ends that.
func OpenAll(ctx context.Context, specs []Spec, family Family, backlog int) (_ []*Socket, err error) {
	opened := make([][]*Socket, len(specs))
	defer func() {
		if err != nil {
			for _, some := range opened {
				CloseAll(some)
			}
		}
	}()
	// What is handed over comes first: descriptors that we open ourselves must
	// not be taken for it. Paths come last, when nothing slow is left to do.
	for _, kinds := range [][]Kind{{FD, Systemd}, {TCP, UDP}, {Unix}} {
		for i, spec := range specs {
			if slices.Contains(kinds, spec.Kind) {
				if opened[i], err = open(ctx, spec, family, backlog); err != nil {
					return nil, err
				}
			}
		}
	}
	var sockets []*Socket
	for _, some := range opened {
		sockets = append(sockets, some...)
	}
	return sockets, distinct(sockets)
}

// distinct makes sure that no descriptor comes twice, and no name that we gave.
func distinct(sockets []*Socket) error {
	fds, names := map[int]Spec{}, map[string]Spec{}
	for _, s := range sockets {
		if other, ok := fds[s.FD]; ok {
			return usagef("cannot use -b %s with -b %s: both stand for descriptor %d; give one of them", s.Spec, other, s.FD)
		}
		other, ok := names[s.Name]
		if ok && s.Name != "" && (s.Spec.Name != "" || other.Name != "") {
			return usagef("cannot use -b %s with -b %s: both sockets are called %s; give one another name, as in name=%s2", s.Spec, other, s.Name, s.Name)
		}
		fds[s.FD], names[s.Name] = s.Spec, s.Spec
	}
	return nil
}

// Open is OpenAll for a spec that stands for one socket.
func Open(spec Spec, family Family, backlog int) (*Socket, error) {
	sockets, err := OpenAll(context.Background(), []Spec{spec}, family, backlog)
	if err != nil {
		return nil, err
	}
	return sockets[0], nil
}

func open(ctx context.Context, spec Spec, family Family, backlog int) (sockets []*Socket, err error) {
	if spec.Backlog > 0 {
		backlog = spec.Backlog
	}
	if backlog <= 0 {
		backlog = maxBacklog()
	}
	var one *Socket
	hint := ""
	switch spec.Kind {
	case Systemd:
		sockets, err = openSystemd(spec)
	case FD:
		one, err = openFD(spec)
	case Unix:
		if one, err = openUnix(ctx, spec, backlog); err != nil {
			hint = explainUnix(spec, err)
		}
	default:
		one, err = openAddress(ctx, spec, spec.family(family), backlog)
		if err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot bind %s: %w%s", spec, err, hint)
	}
	if one != nil {
		sockets = []*Socket{one}
	}
	return sockets, nil
}

// openAddress binds the first address that the spec's name gives, IPv4 first.
// The wildcard takes both families where the machine has IPv6, and so does an
// explicit [::]; family narrows both to one.
func openAddress(ctx context.Context, spec Spec, family Family, backlog int) (*Socket, error) {
	tries, err := candidates(ctx, spec, family)
	if err != nil {
		return nil, err
	}
	for i, c := range tries {
		var s *Socket
		s, err = listen(spec, c, backlog)
		if err == nil {
			return s, nil
		}
		if i+1 < len(tries) && noSuchFamily(err) {
			continue
		}
		at := netip.AddrPortFrom(c.ip, uint16(spec.Port))
		return nil, fmt.Errorf("cannot bind %s: %w%s", spec, err, explain(spec, at, err))
	}
	return nil, fmt.Errorf("cannot bind %s: %w", spec, err)
}

func listen(spec Spec, c candidate, backlog int) (_ *Socket, err error) {
	family := unix.AF_INET
	if c.ip.Is6() {
		family = unix.AF_INET6
	}
	sa, err := sockaddr(c.ip, spec.Port)
	if err != nil {
		return nil, err
	}
	fd, err := newSocket(family, socketTypes[spec.Kind])
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err := setOptions(fd, spec, c); err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, sa); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	if spec.Kind == TCP {
		if err := unix.Listen(fd, backlog); err != nil {
			return nil, os.NewSyscallError("listen", err)
		}
	}
	address, err := localAddress(fd)
	if err != nil {
		return nil, err
	}
	return &Socket{Spec: spec, FD: fd, Name: spec.Name, Network: networks[spec.Kind], Address: address}, nil
}

var (
	socketTypes = map[Kind]int{TCP: unix.SOCK_STREAM, UDP: unix.SOCK_DGRAM}
	networks    = map[Kind]string{TCP: "tcp", UDP: "udp"}
)

func setOptions(fd int, spec Spec, c candidate) error {
	if spec.ReuseAddr {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return os.NewSyscallError("setsockopt SO_REUSEADDR", err)
		}
	}
	if spec.ReusePort {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return os.NewSyscallError("setsockopt SO_REUSEPORT", err)
		}
	}
	if c.ip.Is6() {
		// Always said, because the system's default is the operator's to choose
		// (net.ipv6.bindv6only).
		only := 1
		if c.dual {
			only = 0
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return os.NewSyscallError("setsockopt IPV6_V6ONLY", err)
		}
	}
	return change(fd, spec)
}

// change does what can be asked of a socket that we were started with, too.
func change(fd int, spec Spec) error {
	if spec.Defer > 0 {
		if err := deferAccept(fd, spec.Defer); err != nil {
			return err
		}
	}
	if spec.NonBlock {
		return os.NewSyscallError("fcntl", unix.SetNonblock(fd, true))
	}
	return nil
}

func sockaddr(ip netip.Addr, port int) (unix.Sockaddr, error) {
	if ip.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: ip.As4()}, nil
	}
	zone, err := zoneIndex(ip.Zone())
	if err != nil {
		return nil, err
	}
	return &unix.SockaddrInet6{Port: port, Addr: ip.As16(), ZoneId: zone}, nil
}

func localAddress(fd int) (string, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	return textOf(sa)
}

func textOf(sa unix.Sockaddr) (string, error) {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String(), nil
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr).WithZone(zoneName(sa.ZoneId))
		return netip.AddrPortFrom(ip, uint16(sa.Port)).String(), nil
	case *unix.SockaddrUnix:
		if sa.Name == "@" { // it has none
			return "", nil
		}
		return sa.Name, nil
	}
	return "", fmt.Errorf("cannot read the socket's own address: unexpected %T", sa)
}

// noSuchFamily tells whether an error says that the machine has no IPv6: not in
// the kernel, or no address of it on any interface.
func noSuchFamily(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT) ||
		errors.Is(err, unix.EADDRNOTAVAIL)
}

// explain says what a person can do about a failed bind.
func explain(spec Spec, at netip.AddrPort, err error) string {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return explainInUse(spec, at.String())
	case errors.Is(err, unix.EACCES) && at.Port() < 1024:
		return "; a port below 1024 takes root or CAP_NET_BIND_SERVICE"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "; no interface of this machine has that address"
	case errors.Is(err, unix.EINVAL) && at.Addr().IsLinkLocalUnicast() && at.Addr().Zone() == "":
		return fmt.Sprintf("; a link-local address needs its interface, as in [%s%%eth0]:%d", at.Addr(), at.Port())
	}
	return ""
}

// explainInUse names who holds the address, and the way out: SO_REUSEADDR lets
// a socket bind beside connections that linger in TIME_WAIT (socket(7)), though
// never beside another that listens.
func explainInUse(spec Spec, address string) string {
	hint := ""
	switch {
	case spec.ReusePort:
		hint = "; with reuseport it has to be set by all who bind the address, who must be of one user"
	case !spec.ReuseAddr && spec.Kind == TCP:
		with := spec
		with.ReuseAddr = true
		hint = fmt.Sprintf("; to bind beside old connections that linger, add r: -b %s", with)
	}
	holders := WhoHolds(networks[spec.Kind], address)
	if len(holders) == 0 {
		return hint
	}
	return ": held by " + holderList(holders) + hint
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
