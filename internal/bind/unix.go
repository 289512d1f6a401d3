// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/claim"
)

// openUnix makes a stream socket at a path or with an abstract name. What is
// stale there is replaced, and all else left alone.
func openUnix(ctx context.Context, spec Spec, backlog int) (*Socket, error) {
	if spec.Abstract() && runtime.GOOS != "linux" {
		return nil, usagef("abstract names are Linux's; write it as in unix:/run/web.sock")
	}
	owner, group, err := account(spec)
	if err != nil {
		return nil, err
	}
	fd, err := newSocket(unix.AF_UNIX, unix.SOCK_STREAM)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &Socket{Spec: spec, FD: fd, Name: spec.Name, Network: "unix", Address: spec.Path}
	if spec.NonBlock {
		err = os.NewSyscallError("fcntl", unix.SetNonblock(fd, true))
	}
	if err == nil && spec.Abstract() {
		err = os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrUnix{Name: spec.Path}))
	} else if err == nil {
		defer claim.LockDir(ctx, spec.Path)()
		if err = ctx.Err(); err == nil {
			s.path, err = bindPath(spec, fd, owner, group)
		}
	}
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, backlog))
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// bindPath binds the socket where nothing is in the way. Its mode is never wider
// than asked for: bind(2) takes it from the socket, less the umask.
func bindPath(spec Spec, fd, owner, group int) (*claim.Path, error) {
	if err := claim.MakeWay(spec.Path); err != nil {
		return nil, err
	}
	if spec.Mode != 0 {
		_ = unix.Fchmod(fd, uint32(spec.Mode)) // Linux
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: spec.Path}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	return claim.Take(spec.Path, spec.Mode, owner, group)
}

// account finds the numbers of user and group; -1: not given.
func account(spec Spec) (owner, group int, err error) {
	owner, err = lookupAccount("user", spec.User, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	if err != nil {
		return 0, 0, err
	}
	group, err = lookupAccount("group", spec.Group, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	return owner, group, err
}

func lookupAccount(what, value string, lookup func(string) (string, error)) (int, error) {
	switch {
	case value == "":
		return -1, nil
	case strings.Trim(value, "0123456789") == "":
		return accountNumber(value)
	}
	number, err := lookup(value)
	if err != nil {
		return 0, fmt.Errorf("cannot find %s %q: %w; a number is right, too, as in %s=33", what, value, err, what)
	}
	return strconv.Atoi(number)
}

// explainUnix says what a person can do about a failed bind.
func explainUnix(spec Spec, err error) string {
	switch {
	case errors.Is(err, claim.ErrServed), errors.Is(err, unix.EADDRINUSE):
		text := "; stop it, or choose another path"
		if holders := WhoHolds("unix", spec.Path); len(holders) > 0 {
			text = ": held by " + holderList(holders) + text
		}
		return text
	case errors.Is(err, unix.ENOENT):
		return "; its directory is missing"
	case errors.Is(err, unix.EACCES):
		return "; its directory is not ours to write to"
	}
	return ""
}
