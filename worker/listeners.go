// SPDX-License-Identifier: MIT

package worker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/childenv"
)

// Socket is one socket that the manager passed: it takes connections or
// datagrams, so one of Listener and PacketConn is nil.
type Socket struct {
	Name       string         // as in -b …,name=web or FileDescriptorName=web; "" if it has none
	Listener   net.Listener   // for TCP and UNIX sockets
	PacketConn net.PacketConn // for UDP, and UNIX sockets for datagrams
}

var inherited struct {
	sync.Mutex
	taken   bool
	sockets []Socket
}

// Sockets returns the sockets that the manager passed to this process, in the
// order of its -b options. They are looked for as einhorn passes them
// (EINHORN_FD_0 …), then systemd (LISTEN_FDS, if LISTEN_PID is this process),
// then Server::Starter (SERVER_STARTER_PORT).
//
// The first call takes them over: the inherited file descriptors are closed,
// and what it returns holds ones of its own, which programs that this process
// starts do not inherit. Later calls return the same. Closing one closes it for
// this process alone, and leaves the path of a UNIX socket where it is. When any
// socket can't be used, none is taken, and the error names the variable at
// fault; it wraps [ErrNotManaged] when no variable is set.
// Sockets is safe for concurrent use.
func Sockets() ([]Socket, error) {
	inherited.Lock()
	defer inherited.Unlock()
	if !inherited.taken {
		sockets, err := inherit(os.Getenv)
		if err != nil {
			return nil, fmt.Errorf("cannot take over the inherited sockets: %w", err)
		}
		inherited.sockets, inherited.taken = sockets, true
	}
	return append([]Socket(nil), inherited.sockets...), nil
}

// Listeners returns those of [Sockets] that take connections, in their order.
func Listeners() ([]net.Listener, error) {
	sockets, err := Sockets()
	if err != nil {
		return nil, err
	}
	listeners := make([]net.Listener, 0, len(sockets))
	for _, s := range sockets {
		if s.Listener != nil {
			listeners = append(listeners, s.Listener)
		}
	}
	return listeners, nil
}

// PacketConns returns those of [Sockets] that take datagrams, in their order.
// Each datagram reaches one of the workers that share the socket. One that was
// read is its reader's to answer: a worker that stops sets a read deadline that
// has passed, answers what it has read, and closes the socket.
func PacketConns() ([]net.PacketConn, error) {
	sockets, err := Sockets()
	if err != nil {
		return nil, err
	}
	var conns []net.PacketConn
	for _, s := range sockets {
		if s.PacketConn != nil {
			conns = append(conns, s.PacketConn)
		}
	}
	return conns, nil
}

// Listener returns number i of [Listeners]; the first has number 0.
func Listener(i int) (net.Listener, error) {
	listeners, err := Listeners()
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= len(listeners) {
		return nil, fmt.Errorf("cannot take over socket %d: the manager passes %d that take connections, numbered from 0; each -b adds one", i, len(listeners))
	}
	return listeners[i], nil
}

func inherit(getenv func(string) string) ([]Socket, error) {
	sources, err := sources(getenv)
	if err != nil {
		return nil, err
	}
	// Look at all before any is changed, so that an error leaves things as
	// they were.
	for i := range sources {
		if err := sources[i].check(); err != nil {
			return nil, err
		}
	}
	names := names(getenv)
	sockets := make([]Socket, 0, len(sources))
	for _, s := range sources {
		socket, err := s.take()
		if err != nil {
			for _, other := range sockets {
				other.close()
			}
			return nil, err
		}
		socket.Name = names[s.fd]
		sockets = append(sockets, socket)
	}
	for _, s := range sources {
		unix.Close(s.fd) // the socket has a copy
	}
	return sockets, nil
}

func (s Socket) close() {
	if s.Listener != nil {
		s.Listener.Close()
	} else {
		s.PacketConn.Close()
	}
}

// check fails unless the descriptor is a socket that a manager would pass.
// Other descriptors must not be touched: with variables left over from
// elsewhere they are the program's own.
func (s *source) check() error {
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		return fmt.Errorf("%s: %w; was it closed before, or are the variables left over from another process?", s.name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("%s is not a socket; are the variables left over from another process?", s.name)
	}
	kind, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fmt.Errorf("%s: cannot tell what kind of socket it is: %w", s.name, err)
	}
	switch kind {
	case unix.SOCK_STREAM, unix.SOCK_SEQPACKET:
		return s.checkListens()
	case unix.SOCK_DGRAM:
		s.datagrams = true
		return s.checkBound()
	}
	return fmt.Errorf("%s is a socket for neither connections nor datagrams", s.name)
}

func (s *source) checkListens() error {
	listening, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return fmt.Errorf("%s: cannot tell whether the socket listens: %w", s.name, err)
	}
	if listening == 0 {
		return fmt.Errorf("%s is a socket that does not listen", s.name)
	}
	return nil
}

// checkBound fails for a socket that nobody can send to, as one for
// resolving names or logging is.
func (s *source) checkBound() error {
	address, err := unix.Getsockname(s.fd)
	if err != nil {
		return fmt.Errorf("%s: cannot tell the socket's address: %w", s.name, err)
	}
	bound := true
	switch a := address.(type) {
	case *unix.SockaddrInet4:
		bound = a.Port != 0
	case *unix.SockaddrInet6:
		bound = a.Port != 0
	case *unix.SockaddrUnix:
		bound = a.Name != "" && a.Name != "@" // see isNameless
	}
	if _, err := unix.Getpeername(s.fd); err == nil || !bound {
		return fmt.Errorf("%s is a socket for datagrams that is not bound, or has a peer", s.name)
	} else if !errors.Is(err, unix.ENOTCONN) {
		return fmt.Errorf("%s: cannot tell whether the socket has a peer: %w", s.name, err)
	}
	return nil
}

// take makes a listener or a packet connection on a copy of the descriptor.
// Those of package net that are made from a file do not delete a path.
func (s *source) take() (socket Socket, err error) {
	unix.CloseOnExec(s.fd)
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, childenv.FirstFD)
	if err != nil {
		return Socket{}, fmt.Errorf("%s: cannot duplicate it: %w", s.name, err)
	}
	f := os.NewFile(uintptr(fd), s.name)
	defer f.Close() // package net makes a copy of its own
	if s.datagrams {
		socket.PacketConn, err = net.FilePacketConn(f)
	} else {
		socket.Listener, err = net.FileListener(f)
	}
	if err != nil {
		return Socket{}, fmt.Errorf("%s: %w", s.name, err)
	}
	return socket, nil
}
