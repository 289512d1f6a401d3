// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/claim"
)

// openUnix makes a stream socket at a path or with an abstract name. What is
// stale there is replaced, and all else left alone.
func openUnix(ctx context.Context, spec Spec, others []*Socket) (*Socket, error) {
	owner, group, err := account(spec)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &Socket{Spec: spec, FD: fd, Name: spec.Name, Network: "unix", Address: spec.Path}
	if spec.NonBlock {
		err = os.NewSyscallError("fcntl", unix.SetNonblock(fd, true))
	}
	if err == nil && spec.Abstract() {
		// Not unix.Bind, which has no room for the longest name.
		err = os.NewSyscallError("bind", syscall.Bind(fd, &syscall.SockaddrUnix{Name: spec.Path}))
	} else if err == nil {
		for _, other := range others {
			if other.path.Leads(spec.Path) { // which does not listen yet, and looks stale
				err = usagef("it is the path of another -b of this same command, %s, too; give one of them", other.Spec)
			}
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			s.path, err = bindPath(spec, fd, owner, group)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
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
	return explainShortage(err)
}

// lockDirs has us alone bind paths in their directories, until the sockets there
// can be seen to be served, or are closed. In one order, so that no two wait for
// each other.
func lockDirs(ctx context.Context, specs []Spec) (unlock func()) {
	var paths []string
	for _, spec := range specs {
		if spec.Kind == Unix && !spec.Abstract() {
			paths = append(paths, spec.Path)
		}
	}
	slices.Sort(paths)
	var unlocks []func()
	seen := map[string]bool{}
	for _, path := range paths {
		if dir := realDir(path); !seen[dir] {
			seen[dir] = true
			unlocks = append(unlocks, claim.LockDir(ctx, path))
		}
	}
	return sync.OnceFunc(func() {
		for _, unlock := range unlocks {
			unlock()
		}
	})
}

// realDir is a path's directory by its one name.
func realDir(path string) string {
	dir := filepath.Dir(path)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return dir
}
