// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/claim"
)

// Socket is one socket that is bound. Unless it is for datagrams it listens from
// [Listen] on.
type Socket struct {
	Spec    Spec
	FD      int    // close-on-exec; blocking unless Spec.NonBlock; -1 once closed
	Name    string // for LISTEN_FDNAMES and {fd:NAME}; "": none
	Network string // as the package net has it: tcp, udp, unix, unixgram, unixpacket
	Address string // as bound, with the real port: "127.0.0.1:8080", "[::]:80", "/run/web.sock", "@web"

	at      candidate     // TCP, UDP: what it was bound to
	backlog int           // of listen(2)
	late    unix.Sockaddr // where Listen has to bind it; nil: it is bound
	path    *claim.Path   // to remove at the end; nil: none
	unlock  func()        // of the path's directory; nil: none
}

// Close closes the socket, and removes its path while it is ours. A second
// Close does nothing. It is not safe for concurrent use.
func (s *Socket) Close() error {
	if s.FD < 0 {
		return nil
	}
	err := s.path.Remove()
	s.release()
	fd := s.FD
	s.FD = -1
	if cerr := unix.Close(fd); cerr != nil {
		err = errors.Join(err, fmt.Errorf("cannot close %s: %w", s.Address, cerr))
	}
	return err
}

// release lets others use the path's directory again.
func (s *Socket) release() {
	if s.unlock != nil {
		s.unlock()
	}
}

// CloseAll closes all of them, whatever fails.
func CloseAll(sockets []*Socket) (err error) {
	for _, s := range sockets {
		err = errors.Join(err, s.Close())
	}
	return err
}

// OpenAll binds what the specs ask for, in their order; a spec for systemd may
// give several. When one fails, nothing is left of the others. Addresses are
// bound as far as family allows; backlog is that of listen(2), 0 for the
// system's maximum.
//
// Nobody notices anything of it: no connection comes to what was bound until
// [Listen], nor a datagram to what is shared with others, and what we were
// started with is as it was.
//
// Errors match [ErrUsage], or wrap the errno that the system gave. OpenAll may
// block on name resolution, and on another keeper at work in the same directory;
// ctx ends that.
func OpenAll(ctx context.Context, specs []Spec, family Family, backlog int) (_ []*Socket, err error) {
	opened := make([][]*Socket, len(specs))
	defer func() {
		if err != nil {
			_ = CloseAll(slices.Concat(opened...))
		}
	}()
	var unlock func()
	// What is handed over comes first: descriptors that we open ourselves must
	// not be taken for it. Paths come last, when nothing slow is left to do.
	for _, kinds := range [][]Kind{{FD, Systemd}, {TCP, UDP}, {Unix}} {
		if kinds[0] == Unix {
			unlock = lockDirs(ctx, specs)
			defer func() {
				if err != nil {
					unlock()
				}
			}()
		}
		for i, spec := range specs {
			if slices.Contains(kinds, spec.Kind) {
				if opened[i], err = open(ctx, spec, family, backlog, slices.Concat(opened...)); err != nil {
					return nil, err
				}
			}
		}
	}
	sockets := slices.Concat(opened...)
	for _, s := range sockets {
		if s.path != nil {
			s.unlock = unlock
		}
	}
	return sockets, errors.Join(distinct(sockets), leaveRoom(sockets))
}

// spare is how many descriptors are left at least for whatever else this process
// opens: a few for itself, and some for each process that it starts.
const spare = 32

// leaveRoom tells in time, and in words, what would fail later with neither.
func leaveRoom(sockets []*Socket) error {
	highest := 0
	for _, s := range sockets {
		highest = max(highest, s.FD)
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || uint64(highest+spare) < uint64(limit.Cur) {
		return nil
	}
	return fmt.Errorf("cannot serve %d sockets: %w for anything else%s", len(sockets), unix.EMFILE, explainShortage(unix.EMFILE))
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

// Open is OpenAll, and Listen, for a spec that stands for one socket.
func Open(spec Spec, family Family, backlog int) (*Socket, error) {
	sockets, err := OpenAll(context.Background(), []Spec{spec}, family, backlog)
	if err != nil {
		return nil, err
	}
	if err := Listen(sockets); err != nil {
		return nil, errors.Join(err, CloseAll(sockets))
	}
	return sockets[0], nil
}

// open opens one beside others of the same command.
func open(ctx context.Context, spec Spec, family Family, backlog int, others []*Socket) (sockets []*Socket, err error) {
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
		if one, err = openUnix(ctx, spec, others); err != nil {
			hint = explainUnix(spec, err)
		}
	default:
		one, err = openAddress(ctx, spec, spec.family(family), others)
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
	for _, s := range sockets {
		s.backlog = backlog
	}
	return sockets, nil
}

// openAddress binds the first address that the spec's name gives, IPv4 first.
// The wildcard takes both families where the machine has IPv6, and so does an
// explicit [::]; family narrows both to one.
func openAddress(ctx context.Context, spec Spec, family Family, others []*Socket) (*Socket, error) {
	tries, err := candidates(ctx, spec, family)
	if err != nil {
		return nil, err
	}
	for i, c := range tries {
		var s *Socket
		s, err = bindAddress(spec, c, others)
		if err == nil {
			return s, nil
		}
		if i+1 < len(tries) && noSuchFamily(err) {
			continue
		}
		return nil, fmt.Errorf("cannot bind %s: %w%s", spec, err, explain(spec, c, others, err))
	}
	return nil, fmt.Errorf("cannot bind %s: %w", spec, err)
}

func bindAddress(spec Spec, c candidate, others []*Socket) (_ *Socket, err error) {
	s := &Socket{Spec: spec, Name: spec.Name, Network: networks[spec.Kind], at: c}
	sa, err := sockaddr(c.ip, spec.Port)
	if err != nil {
		return nil, err
	}
	if s.FD, err = addressSocket(spec, c); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unix.Close(s.FD)
		}
	}()
	if spec.Kind == UDP && spec.ReusePort && spec.Port != 0 {
		// Datagrams come to it from bind(2) on, and others may be bound there.
		s.late = sa
		if err := tryAnyPort(spec, c); err != nil {
			return nil, err
		}
		s.Address, err = textOf(sa)
		return s, err
	}
	if err := unix.Bind(s.FD, sa); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	if clashing(spec, c, others) != nil && spec.Kind == TCP {
		return nil, os.NewSyscallError("bind", unix.EADDRINUSE) // r on both lets it pass, and only one may listen
	}
	s.Address, err = localAddress(s.FD)
	return s, err
}

// addressSocket makes a socket that only lacks its address.
func addressSocket(spec Spec, c candidate) (int, error) {
	family := unix.AF_INET
	if c.ip.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, socketTypes[spec.Kind]|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := setOptions(fd, spec, c); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// tryAnyPort tells whether the address can be bound, but for its port.
func tryAnyPort(spec Spec, c candidate) error {
	spec.Port = 0
	return try(spec, c)
}

// try binds for a moment. It never listens, so that of a TCP port nobody notices.
func try(spec Spec, c candidate) error {
	sa, err := sockaddr(c.ip, spec.Port)
	if err != nil {
		return err
	}
	fd, err := addressSocket(spec, c)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return os.NewSyscallError("bind", unix.Bind(fd, sa))
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
