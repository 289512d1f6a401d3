// SPDX-License-Identifier: GPL-3.0-or-later

package claim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Path is where a UNIX socket for workers was bound.
type Path struct {
	name string
	at   inode
}

// ErrServed is what stands in the way where somebody listens.
var ErrServed = errors.New("a server is listening there")

// MakeWay removes a socket that nobody serves any more. Whatever else is at the
// path stays, and is an error.
func MakeWay(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return RootCause(err)
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("something else is there (%s); remove it or choose another path", kindOf(info.Mode()))
	}
	switch err := connectTo(path, 0); err {
	case unix.ECONNREFUSED:
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("cannot remove the stale socket that is there: %w", RootCause(err))
		}
		return nil
	case nil, unix.EAGAIN, unix.EPROTOTYPE: // its backlog is full, or it is for datagrams, unix(7)
		return ErrServed
	default:
		return fmt.Errorf("a socket is there that cannot be asked: %w", err)
	}
}

// Take makes what was bound at the path ours to remove. mode (0: as it is),
// owner and group (-1: as they are) become its own.
func Take(path string, mode, owner, group int) (*Path, error) {
	at, err := inodeOf(path)
	if err != nil {
		return nil, err
	}
	p := &Path{path, at}
	if mode == 0 && owner < 0 && group < 0 {
		return p, nil
	}
	if err := p.give(mode, owner, group); err != nil {
		return nil, errors.Join(err, p.Remove())
	}
	return p, nil
}

// Ours tells whether what is at the path is still ours. nil is no path.
func (p *Path) Ours() bool {
	if p == nil {
		return true
	}
	at, err := inodeOf(p.name)
	return err == nil && at == p.at
}

// Leads tells whether another path leads to the same socket, by links of
// directories.
func (p *Path) Leads(path string) bool {
	at, err := inodeOf(path)
	return p != nil && err == nil && at == p.at
}

// Remove removes the path if what is there is still ours. The socket must be
// open: until it is closed its inode's number is no other's. nil is no path.
func (p *Path) Remove() error {
	if p == nil {
		return nil
	}
	if err := p.at.remove(p.name); err != nil {
		return fmt.Errorf("cannot remove socket %s: %w", p.name, err)
	}
	return nil
}

// remove removes a path while it leads to this inode; that it does not is no
// error.
func (at inode) remove(path string) error {
	is, err := inodeOf(path)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && is != at:
		return nil
	case err == nil:
		err = os.Remove(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return RootCause(err)
}

// lockPatience is how long another may take to make way and bind.
const lockPatience = 2 * time.Second

// LockDir keeps two keepers from making way for each other's sockets in one
// directory: what the one has bound and does not serve yet looks stale to the
// other. Whoever may read the directory can hold such a lock for ever, so we go
// on without it after a while, or when ctx ends.
func LockDir(ctx context.Context, path string) (unlock func()) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return func() {}
	}
	left, locked := make(chan struct{}), make(chan struct{})
	go func() {
		defer dir.Close() // which unlocks
		for unix.Flock(int(dir.Fd()), unix.LOCK_EX) == unix.EINTR {
		}
		close(locked)
		<-left
	}()
	select {
	case <-locked:
	case <-time.After(lockPatience):
	case <-ctx.Done():
	}
	return func() { close(left) }
}

func cannotGive(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("cannot give it to that user or group: %w; it takes root, or a group that we are in", err)
	}
	return fmt.Errorf("cannot give it to that user or group: %w", err)
}

// give changes mode and owner of the very socket that was bound: whoever may
// write to the directory could have put a link to another file in its place.
func (p *Path) give(mode, owner, group int) error {
	fd, err := unix.Open(p.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || int(st.Uid) != os.Geteuid() || st.Nlink != 1 ||
		(inode{uint64(st.Dev), st.Ino}) != p.at {
		return errors.New("somebody has replaced it")
	}
	if owner >= 0 || group >= 0 {
		if err := unix.Fchownat(fd, "", owner, group, unix.AT_EMPTY_PATH); err != nil {
			return cannotGive(err)
		}
	}
	if mode == 0 {
		return nil
	}
	// The mode last: chown(2) may take bits away, and the umask has. fchmod(2) does
	// not take such a descriptor, so it is named, open(2).
	if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), uint32(mode)); err != nil {
		return fmt.Errorf("cannot set its mode: %w", err)
	}
	return nil
}
