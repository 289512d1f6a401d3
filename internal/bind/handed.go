// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// firstHanded is the first descriptor that systemd hands over, sd_listen_fds(3).
const firstHanded = 3

// right is what can be handed over.
const right = "right is a TCP or UNIX socket that listens, or one for datagrams that is bound"

// openFD takes the descriptor that whoever started us left open.
func openFD(spec Spec) (*Socket, error) {
	s, err := take(spec.FD)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, right)
	}
	s.Spec, s.Name = spec, spec.Name
	return s, s.checkChange()
}

// openSystemd takes the sockets that systemd hands over, all or those of the
// spec's name.
func openSystemd(spec Spec) ([]*Socket, error) {
	names, err := listenFDs(os.Getenv, os.Getpid())
	if err != nil {
		return nil, err
	}
	var sockets []*Socket
	for i, name := range names {
		if spec.From != "" && name != spec.From {
			continue
		}
		s, err := take(firstHanded + i)
		if err != nil {
			return nil, fmt.Errorf("systemd has handed over what is no server's socket: %w; %s", err, right)
		}
		s.Spec = spec
		if name != "unknown" { // what systemd says for none
			s.Name = name
		}
		if err := s.checkChange(); err != nil {
			return nil, err
		}
		sockets = append(sockets, s)
	}
	switch {
	case len(sockets) == 0:
		return nil, fmt.Errorf("systemd has handed over nothing of the name %s, but %s; FileDescriptorName= in the socket unit says it", spec.From, strings.Join(names, ", "))
	case spec.Name != "" && len(sockets) > 1:
		return nil, usagef("systemd has handed over %d sockets, which cannot all have the name %s; give it to one, as in systemd:%s,name=%s", len(sockets), spec.Name, sockets[0].Name, spec.Name)
	case spec.Name != "":
		sockets[0].Name = spec.Name
	}
	return sockets, nil
}

// listenFDs returns the names of the descriptors that are handed over, "unknown"
// where there are none, as sd_listen_fds_with_names(3) does.
func listenFDs(getenv func(string) string, pid int) ([]string, error) {
	const howTo = "start us from a service with a socket unit, or by systemd-socket-activate"
	number, count := getenv("LISTEN_PID"), getenv("LISTEN_FDS")
	if number == "" || count == "" {
		return nil, fmt.Errorf("systemd has handed over no sockets (LISTEN_PID and LISTEN_FDS are not both set); %s", howTo)
	}
	if number != strconv.Itoa(pid) {
		return nil, fmt.Errorf("systemd's sockets are meant for process %q (LISTEN_PID), and we are %d; a shell between must end with exec", number, pid)
	}
	n, err := strconv.ParseUint(count, 10, 31)
	if err != nil || n > maxFD {
		return nil, fmt.Errorf("LISTEN_FDS is %q, and no number of descriptors; %s", count, howTo)
	}
	if n == 0 {
		return nil, fmt.Errorf("systemd has handed over no sockets (LISTEN_FDS is 0); %s", howTo)
	}
	text := getenv("LISTEN_FDNAMES")
	if text == "" {
		return strings.Split(strings.Repeat(":unknown", int(n))[1:], ":"), nil
	}
	names := strings.Split(text, ":")
	if len(names) != int(n) {
		return nil, fmt.Errorf("LISTEN_FDNAMES has %d names, and LISTEN_FDS is %d; %s", len(names), n, howTo)
	}
	return names, nil
}

// take makes a Socket of a descriptor that was not opened by us. It touches
// nothing else.
func take(fd int) (*Socket, error) {
	network, address, err := inspect(fd)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	return &Socket{FD: fd, Network: network, Address: address}, nil
}

// checkChange tells whether change can do what is asked for.
func (s *Socket) checkChange() error {
	if s.Spec.Defer > 0 && s.Network != "tcp" {
		without := s.Spec
		without.Defer = 0
		return usagef("defer is for TCP, and descriptor %d is something else (%s); leave it out: -b %s", s.FD, s.Network, without)
	}
	return nil
}

// change does what n and defer ask for. Without them all stays as it was found:
// it is whoever else's has the socket, too.
func (s *Socket) change() error { return change(s.FD, s.Spec) }

// inspect looks what a descriptor is. Only what a server can serve passes.
func inspect(fd int) (network, address string, err error) {
	fail := func(format string, args ...any) (string, string, error) {
		return "", "", fmt.Errorf("descriptor %d "+format, append([]any{fd}, args...)...)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		if errors.Is(err, unix.EBADF) {
			return fail("is not open: whoever starts us has to leave it open")
		}
		return fail("cannot be looked at: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		// It may also be one that we have opened ourselves where nothing was.
		return fail("is %s, not a socket: whoever starts us has to leave a socket open there", fileKind(uint32(st.Mode)&unix.S_IFMT))
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return fail("is a socket of another family")
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fail("does not tell what it is: %w", err)
	}
	_, local := sa.(*unix.SockaddrUnix)
	network = networkOf(local, kind)
	address, err = textOf(sa)
	switch {
	case err != nil:
		family := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", sa), "*unix.Sockaddr"))
		return fail("is a socket of another family (%s)", family)
	case network == "":
		return fail("is a raw socket")
	}
	if _, err := unix.Getpeername(fd); err == nil {
		return fail("is a connection (%s)", strings.TrimSuffix(network+", of "+address, ", of "))
	}
	if kind == unix.SOCK_DGRAM {
		if address == "" || strings.HasSuffix(address, ":0") && !local {
			return fail("is a socket for datagrams that is not bound (%s)", network)
		}
		return network, address, nil
	}
	if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listens == 0 {
		return fail("is a socket that does not listen (%s)", network)
	}
	return network, address, nil
}

// networkOf names a kind of socket as the package net does; "": we know none.
func networkOf(local bool, kind int) string {
	if local {
		return map[int]string{unix.SOCK_STREAM: "unix", unix.SOCK_DGRAM: "unixgram", unix.SOCK_SEQPACKET: "unixpacket"}[kind]
	}
	return map[int]string{unix.SOCK_STREAM: "tcp", unix.SOCK_DGRAM: "udp"}[kind]
}

func fileKind(kind uint32) string {
	switch kind {
	case unix.S_IFREG:
		return "a file"
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFIFO:
		return "a pipe"
	case unix.S_IFCHR:
		return "a terminal or another device"
	}
	return "something of the kernel's"
}
