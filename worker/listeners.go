// SPDX-License-Identifier: MIT

package worker

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/childenv"
)

// maxSockets bounds the number that is believed from the environment.
const maxSockets = 1 << 16

var inherited struct {
	sync.Mutex
	taken     bool
	listeners []net.Listener
}

// Listeners returns the sockets that the manager passed to this process, in
// the order of its -b options. The first call takes them over: the inherited
// file descriptors are closed, and the listeners hold ones of their own, which
// programs that this process starts do not inherit. Later calls return the
// same listeners. When any socket can't be used, none is taken, and the error
// names the variable at fault; it wraps [ErrNotManaged] when no variable is set.
// Listeners is safe for concurrent use.
func Listeners() ([]net.Listener, error) {
	inherited.Lock()
	defer inherited.Unlock()
	if !inherited.taken {
		listeners, err := inherit(os.Getenv)
		if err != nil {
			return nil, fmt.Errorf("cannot take over the inherited sockets: %w", err)
		}
		inherited.listeners, inherited.taken = listeners, true
	}
	return append([]net.Listener(nil), inherited.listeners...), nil
}

// Listener returns the inherited socket i; the first has number 0.
func Listener(i int) (net.Listener, error) {
	listeners, err := Listeners()
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= len(listeners) {
		return nil, fmt.Errorf("cannot take over socket %d: the manager passes %d, numbered from 0; each -b adds one", i, len(listeners))
	}
	return listeners[i], nil
}

// source is one inherited file descriptor, and the variable that names it.
type source struct {
	fd   int
	name string // as in EINHORN_FD_0=3
}

func inherit(getenv func(string) string) ([]net.Listener, error) {
	sources, err := sources(getenv)
	if err != nil {
		return nil, err
	}
	// Look at all before any is changed, so that an error leaves things as
	// they were.
	for _, s := range sources {
		if err := s.check(); err != nil {
			return nil, err
		}
	}
	listeners := make([]net.Listener, 0, len(sources))
	for _, s := range sources {
		ln, err := s.listen()
		if err != nil {
			for _, ln := range listeners {
				ln.Close()
			}
			return nil, err
		}
		listeners = append(listeners, ln)
	}
	for _, s := range sources {
		unix.Close(s.fd) // the listener has a copy
	}
	return listeners, nil
}

// sources reads EINHORN_FD_COUNT and EINHORN_FD_<n>, or else the older
// EINHORN_FDS.
func sources(getenv func(string) string) ([]source, error) {
	count := getenv(childenv.FDCount)
	if count == "" {
		return oldSources(getenv(childenv.FDs))
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > maxSockets {
		return nil, fmt.Errorf("%s=%q is not a number of sockets", childenv.FDCount, count)
	}
	list := make([]source, 0, n)
	for i := range n {
		name := childenv.FDPrefix + strconv.Itoa(i)
		text := getenv(name)
		if text == "" {
			return nil, fmt.Errorf("%s is not set, but %s=%d", name, childenv.FDCount, n)
		}
		if list, err = add(list, name, text); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func oldSources(fds string) (list []source, err error) {
	words := strings.Fields(fds)
	if len(words) == 0 {
		return nil, fmt.Errorf("neither %s nor %s is set: %w", childenv.FDCount, childenv.FDs, ErrNotManaged)
	}
	for _, text := range words {
		if list, err = add(list, childenv.FDs, text); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func add(list []source, name, text string) ([]source, error) {
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 0 {
		return nil, fmt.Errorf("%s=%q is not the number of a file descriptor", name, text)
	}
	s := source{fd: fd, name: name + "=" + text}
	for _, other := range list {
		if other.fd == fd {
			return nil, fmt.Errorf("%s and %s are the same file descriptor", other.name, s.name)
		}
	}
	return append(list, s), nil
}

// check fails unless the descriptor is a listening socket. Other descriptors
// must not be touched: with variables left over from elsewhere they are the
// program's own.
func (s source) check() error {
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		return fmt.Errorf("%s: %w; was it closed before, or are the variables left over from another process?", s.name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("%s is not a socket; are the variables left over from another process?", s.name)
	}
	listening, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return fmt.Errorf("%s: cannot tell whether the socket listens: %w", s.name, err)
	}
	if listening == 0 {
		return fmt.Errorf("%s is a socket that does not listen", s.name)
	}
	return nil
}

// listen makes a listener on a copy of the descriptor.
func (s source) listen() (net.Listener, error) {
	unix.CloseOnExec(s.fd)
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, childenv.FirstFD)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot duplicate it: %w", s.name, err)
	}
	f := os.NewFile(uintptr(fd), s.name)
	defer f.Close() // net.FileListener makes a copy of its own
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return ln, nil
}
