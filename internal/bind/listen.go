// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Listen puts to use what [OpenAll] has bound. It is for when nothing else can
// fail: from here on connections come, and are lost if we end. What may still fail
// itself comes first, and what takes connections away from another who serves
// (reuseport) last of all. After an error all sockets are to be closed.
//
// A datagram that comes to a shared address between its bind(2) and an error of
// one that follows is lost; the system has no way to bind and not to receive.
func Listen(sockets []*Socket) error {
	for _, stage := range []struct {
		is func(*Socket) bool
		do func(*Socket) error
	}{
		{func(s *Socket) bool { return s.listens() && !s.Spec.ReusePort }, (*Socket).listen},
		{func(s *Socket) bool { return s.handed() }, (*Socket).change},
		{func(s *Socket) bool { return s.late != nil }, (*Socket).bindLate},
		{func(s *Socket) bool { return s.listens() && s.Spec.ReusePort }, (*Socket).listen},
	} {
		for i, s := range sockets {
			if !stage.is(s) {
				continue
			}
			if err := stage.do(s); err != nil {
				others := append(append([]*Socket(nil), sockets[:i]...), sockets[i+1:]...)
				return fmt.Errorf("cannot bind %s: %w%s", s.Spec, err, s.explain(others, err))
			}
		}
	}
	for _, s := range sockets {
		s.release()
	}
	return nil
}

// handed tells whether we were started with it.
func (s *Socket) handed() bool { return s.Spec.Kind == FD || s.Spec.Kind == Systemd }

// listens tells whether it is ours to have it listen.
func (s *Socket) listens() bool { return s.Spec.Kind == TCP || s.Spec.Kind == Unix }

func (s *Socket) listen() error {
	if !s.path.Ours() {
		return errors.New("somebody has replaced the socket that we have bound there")
	}
	return os.NewSyscallError("listen", unix.Listen(s.FD, s.backlog))
}

func (s *Socket) bindLate() error {
	if err := unix.Bind(s.FD, s.late); err != nil {
		return os.NewSyscallError("bind", err)
	}
	s.late = nil
	return nil
}

func (s *Socket) explain(others []*Socket, err error) string {
	switch {
	case s.Spec.HasPort():
		return explain(s.Spec, s.at, others, err)
	case s.Spec.Kind == Unix:
		return explainUnix(s.Spec, err)
	}
	return ""
}
