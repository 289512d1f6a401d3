// SPDX-License-Identifier: GPL-3.0-or-later

// Package claim is what a keeper has for itself on disk, so that no other one
// serves in its place: the control socket's path with its lock, the pid file,
// and the paths of sockets for workers (path.go). What others put there is
// never removed.
package claim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ControlSocket is the path where clients find the master, and the lock file
// beside it, which says whose it is. The master accepts; the listener stays
// ours, so that what waits in its backlog outlives a master.
type ControlSocket struct {
	path     string
	lockPath string
	lock     *os.File
	group    int  // that may connect, too; -1: nobody may but who we are
	owned    bool // the lock file says that it is ours
	orphaned bool // the keeper that was here before died, and its master may be dying
	Bound
}

// Bound is a listener and what it is on disk, so that nobody else's path is
// ever removed.
type Bound struct {
	fd int
	at inode
}

// None tells whether nothing was bound, because something is there.
func (b Bound) None() bool { return b.fd < 0 }

type inode struct{ dev, ino uint64 }

// DeadKeeper is what a lock file tells of a keeper that did not end in order.
type DeadKeeper struct{ pid int }

// Hint is nil when the one before ended in order.
func (d DeadKeeper) Hint() error {
	if d.pid == 0 {
		return nil
	}
	return fmt.Errorf("keeper %d, which was here before, died; its workers may still serve and hold the address: end them, or wait for their end", d.pid)
}

// Lock makes sure that the path is ours alone to use. It comes
// first of all: it also knows which keeper was here before. lockPath is the
// lock file's; "" is beside the socket.
func Lock(path, lockPath string) (*ControlSocket, DeadKeeper, error) {
	if lockPath == "" {
		lockPath = path + ".lock"
	}
	c := &ControlSocket{path: path, lockPath: lockPath, group: -1, Bound: Bound{fd: -1}}
	dead, err := c.takeLock()
	c.orphaned = dead.pid != 0
	return c, dead, err
}

// ShareWith lets a group connect: workers that are not who we are, and what they
// may do there is little. It comes before Open.
func (c *ControlSocket) ShareWith(group int) { c.group = group }

// Open binds the path. A socket on which somebody answers is refused, a stale
// one replaced, anything else left alone. It may have to wait for the end of
// those whom a dead keeper has left, unless ctx ends before.
func (c *ControlSocket) Open(ctx context.Context) error {
	err := c.clear(ctx)
	if err == nil {
		_ = c.clearSockets() // a worker's socket is made beside what cannot be removed
		c.Bound, err = bindControl(c.path, c.group)
	}
	return err
}

// Own writes our pid into the lock file, from where the next start knows that we
// have died. Until then it says of the keeper before what it said. Without it we
// can serve: a full disk is an error, and no reason to end.
func (c *ControlSocket) Own() error {
	own := fmt.Appendf(nil, "%d\n", os.Getpid())
	_, err := c.lock.WriteAt(own, 0)
	c.owned = err == nil
	if !c.owned {
		own = nil // half a number would be somebody else's
	}
	if terr := c.lock.Truncate(int64(len(own))); err == nil {
		err = terr
	}
	if err != nil {
		return fmt.Errorf("cannot write our pid to lock file %s: %w; should this keeper die, the next will not know", c.lockPath, RootCause(err))
	}
	return nil
}

// TakenError says that another keeper has the paths.
type TakenError struct{ text string }

func (e *TakenError) Error() string { return e.text }

func (c *ControlSocket) takeLock() (DeadKeeper, error) {
	name, other := c.lockPath, "-d"
	if name != c.path+".lock" {
		other = "--lockfile"
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return DeadKeeper{}, fmt.Errorf("cannot open lock file %s: %w", name, RootCause(err))
	}
	if err := checkLockFile(f); err != nil {
		f.Close()
		return DeadKeeper{}, fmt.Errorf("cannot use lock file %s: %w; remove it or choose another path with %s", name, err, other)
	}
	before := readPID(f)
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if err != unix.EWOULDBLOCK {
			return DeadKeeper{}, fmt.Errorf("cannot lock %s: %w", name, err)
		}
		holder := holderOf(f)
		if other != "-d" {
			return DeadKeeper{}, &TakenError{fmt.Sprintf("cannot lock %s: %s has it; stop that or choose another path with %s", name, holder, other)}
		}
		return DeadKeeper{}, &TakenError{fmt.Sprintf("cannot use control socket %s: %s is running there; stop it or choose another path with -d", c.path, holder)}
	}
	c.lock = f
	return DeadKeeper{before}, nil
}

// checkLockFile makes sure that what we are going to write to is a lock file,
// and not something that others put in its place.
func checkLockFile(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("it is not a regular file")
	case st.Nlink != 1:
		return errors.New("it has other names too (hard links)")
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("it belongs to user %d", st.Uid)
	}
	return nil
}

// readPID is the number that a file begins with; 0: none.
func readPID(f *os.File) int {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

// RootCause is an error of a file without the path, which is named already.
func RootCause(err error) error {
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func kindOf(mode os.FileMode) string {
	switch mode.Type() {
	case 0:
		return "a file"
	case os.ModeDir:
		return "a directory"
	case os.ModeSymlink:
		return "a symbolic link"
	case os.ModeNamedPipe:
		return "a pipe"
	case os.ModeSocket:
		return "a socket"
	case os.ModeDevice, os.ModeDevice | os.ModeCharDevice:
		return "a device"
	}
	return mode.Type().String()
}

// clear makes way at the path.
func (c *ControlSocket) clear(ctx context.Context) error {
	info, err := os.Lstat(c.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot use control socket %s: %w", c.path, RootCause(err))
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("cannot use control socket %s: something else is there (%s); remove it or choose another path with -d", c.path, kindOf(info.Mode()))
	}
	err = connectTo(c.path, 0)
	if err == nil && c.orphaned {
		// We have the lock, so this can only be what is left of a dead keeper.
		err = outwait(ctx, c.path)
	}
	switch err {
	case unix.ECONNREFUSED:
		if err := os.Remove(c.path); err != nil {
			return fmt.Errorf("cannot replace stale control socket %s: %w", c.path, RootCause(err))
		}
		return nil
	case nil, unix.EAGAIN: // EAGAIN: alive, and its backlog is full, unix(7)
		return fmt.Errorf("cannot use control socket %s: a server is listening there; stop it or choose another path with -d", c.path)
	default:
		return fmt.Errorf("cannot use control socket %s: a socket is there that cannot be asked: %w", c.path, err)
	}
}

// outwait waits until nobody listens any more, and tells whether somebody does.
func outwait(ctx context.Context, path string) error {
	waited := make(chan error, 1)
	go func() {
		var err error
		for by := time.Now().Add(orphanPatience); err == nil && time.Now().Before(by); {
			err = connectTo(path, time.Until(by))
		}
		waited <- err
	}()
	select {
	case err := <-waited:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// orphanPatience is how long a master may take to notice that its keeper died.
const orphanPatience = 3 * time.Second

// connectTo tells whether somebody listens, and waits for so long until whoever
// does has hung up.
func connectTo(path string, wait time.Duration) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	if err == nil && wait > 0 {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(wait.Milliseconds()))
	}
	return err
}

// bindControl makes a listener at the path, which is never open to others: the
// mode is set before the name exists, and the group is given it before it may do
// anything there. It sets the umask for the moment, so no process may be started
// meanwhile.
func bindControl(path string, group int) (Bound, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return Bound{fd: -1}, fmt.Errorf("cannot make control socket: %w", err)
	}
	unix.CloseOnExec(fd)
	_ = unix.Fchmod(fd, 0o600) // the path gets this mode, but for the umask
	old := unix.Umask(0o177)
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	unix.Umask(old)
	var at inode
	if err == nil {
		at, err = inodeOf(path)
	}
	if p := (&Path{path, at}); err == nil && group >= 0 {
		if err = p.give(0o660, -1, group); err != nil {
			err = errors.Join(err, p.Remove())
		}
	}
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		unix.Close(fd)
		return Bound{fd: -1}, fmt.Errorf("cannot bind control socket %s: %w", path, err)
	}
	return Bound{fd, at}, nil
}

// Rebind binds the path anew if it is still missing; otherwise the
// listener's fd is -1. What is bound now stays until Replace.
func (c *ControlSocket) Rebind() (Bound, error) {
	if _, err := os.Lstat(c.path); !errors.Is(err, os.ErrNotExist) {
		return Bound{fd: -1}, nil
	}
	return bindControl(c.path, c.group)
}

func inodeOf(path string) (inode, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return inode{}, RootCause(err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}, errors.New("the file system has no inodes")
	}
	return inode{uint64(st.Dev), uint64(st.Ino)}, nil
}

// SocketsOf is the directory for sockets of workers, beside the control socket. It
// is there only if they need it.
func SocketsOf(path string) string { return path + ".notify" }

// clearSockets removes what a keeper has left there, dead or about to end, if it
// is of our own making.
func (c *ControlSocket) clearSockets() error {
	dir := SocketsOf(c.path)
	var st unix.Stat_t
	if unix.Lstat(dir, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() {
		return nil
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type() == os.ModeSocket && err == nil {
			err = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	if err == nil {
		err = os.Remove(dir)
	}
	if err != nil && !errors.Is(err, unix.ENOTEMPTY) { // something else may be there, too
		return fmt.Errorf("cannot remove workers' sockets in %s: %w", dir, RootCause(err))
	}
	return nil
}

// Missing tells whether nothing is at the path any more, as after a cleaner
// of temporary files.
func (c *ControlSocket) Missing() bool {
	_, err := os.Lstat(c.path)
	return errors.Is(err, os.ErrNotExist)
}

// Replace takes over what was bound anew.
func (c *ControlSocket) Replace(b Bound) {
	unix.Close(c.fd)
	c.Bound = b
}

// Dup returns a descriptor of the listener, for a master.
func (c *ControlSocket) Dup() (int, error) {
	return unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
}

// Close removes the path if it is still ours. The lock file stays: were it
// removed, two keepers could each lock one of that name. What it says goes, as
// a sign that we ended in order. A second Close does nothing.
func (c *ControlSocket) Close() error {
	defer c.lock.Close()
	var all error
	if c.fd >= 0 {
		if err := c.at.remove(c.path); err != nil {
			all = fmt.Errorf("cannot remove control socket %s: %w", c.path, err)
		}
		all = errors.Join(all, c.clearSockets())
		unix.Close(c.fd)
		c.fd = -1
	}
	if c.owned {
		c.owned = false
		if err := c.lock.Truncate(0); err != nil {
			all = errors.Join(all, fmt.Errorf("cannot empty lock file %s: %w", c.lockPath, RootCause(err)))
		}
	}
	return all
}
