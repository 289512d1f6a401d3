// SPDX-License-Identifier: GPL-3.0-or-later

package claim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// PIDFile is a path for our pid. We hold a lock, flock(2), on the file that we
// put there for as long as we live: a file that says a number and is not
// locked is what a dead keeper has left, whoever has that number by now.
type PIDFile struct {
	path string
	file *os.File // locked; nil: nothing was put there
	at   inode
}

// CheckPIDFile tells before anything else is done whether Put can be expected
// to work. It changes nothing.
func CheckPIDFile(path string) (*PIDFile, error) {
	stale, err := lockStale(path)
	if err == nil {
		stale.Close()
		if err = unix.Access(filepath.Dir(path), unix.W_OK); err != nil {
			err = fmt.Errorf("cannot write to its directory: %w", err)
		}
	}
	if err != nil {
		return nil, cannotUsePIDFile(path, err)
	}
	return &PIDFile{path: path}, nil
}

func cannotUsePIDFile(path string, err error) error {
	return fmt.Errorf("cannot use pid file %s: %w", path, RootCause(err))
}

// Put puts our pid into the file, whole or not at all. It replaces a stale file,
// or a symbolic link that leads to one, never what the link leads to; whatever
// else is there by now is an error.
func (p *PIDFile) Put() error {
	f, err := os.CreateTemp(filepath.Dir(p.path), "."+filepath.Base(p.path)+".*")
	if err != nil {
		return cannotUsePIDFile(p.path, err)
	}
	tmp := f.Name()
	_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		p.at, err = inodeOf(tmp)
	}
	if err == nil {
		err = p.place(tmp)
	}
	if err != nil {
		_ = os.Remove(tmp)
		f.Close()
		return cannotUsePIDFile(p.path, err)
	}
	p.file = f
	return nil
}

// place gives the file its name. Of several keepers that try so one has the lock of
// what is stale there, or is the first where nothing is; the others find its file.
func (p *PIDFile) place(tmp string) error {
	stale, err := lockStale(p.path)
	if err != nil {
		return err
	}
	defer stale.Close()
	if stale == nil {
		err = os.Link(tmp, p.path)
		if err == nil {
			_ = os.Remove(tmp)
			return nil
		}
		if errors.Is(err, fs.ErrExist) {
			return p.place(tmp) // and say who it is
		}
		// The file system may have no second names.
	}
	if err := os.Rename(tmp, p.path); err != nil {
		if le := (*os.LinkError)(nil); errors.As(err, &le) {
			err = le.Err
		}
		return fmt.Errorf("cannot put it there: %w", err)
	}
	return nil
}

// Remove removes what Put has put there, while it is that and holds our pid. It
// may be called again, and on nil.
func (p *PIDFile) Remove() error {
	if p == nil || p.file == nil {
		return nil
	}
	defer func() {
		p.file.Close()
		p.file = nil
	}()
	b, err := os.ReadFile(p.path)
	if err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(os.Getpid()) {
		err = p.at.remove(p.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove pid file %s: %w", p.path, RootCause(err))
	}
	return nil
}

// mostPID is more than a pid file holds.
const mostPID = 64

const anotherPIDFile = "choose another path with --pidfile"

// lockStale opens and locks what a dead process has left where a pid file is to be;
// nil: nothing is there. Whatever else is there is an error.
func lockStale(path string) (*os.File, error) {
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path) // /dev/stdout is a link, too, and must stay one wherever it leads
	switch {
	case err != nil:
		return nil, fmt.Errorf("a symbolic link is there that leads nowhere: %w; remove it or %s", RootCause(err), anotherPIDFile)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is there; %s", kindOf(info.Mode()), anotherPIDFile)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	locked := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	opened, err := f.Stat()
	now, lerr := os.Lstat(path)
	switch {
	case locked == unix.EWOULDBLOCK:
		err = fmt.Errorf("%s has it; stop that or %s", holderOf(f), anotherPIDFile)
	case err != nil || lerr != nil || !os.SameFile(info, opened) || !os.SameFile(there, now):
		err = fmt.Errorf("another one is just writing it; stop that or %s", anotherPIDFile)
	default:
		err = staleFault(f, opened, there.Mode().IsRegular())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// staleFault says why a file is not what a dead process has left. Our own pid is:
// in a container the next keeper has the same one.
func staleFault(f *os.File, info fs.FileInfo, emptyToo bool) error {
	content, err := io.ReadAll(io.LimitReader(f, mostPID))
	if err != nil {
		return err
	}
	text := string(bytes.TrimSpace(content))
	if text == "" && emptyToo { // as a full disk leaves it
		return nil
	}
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 0 {
		return fmt.Errorf("something else is there (a file without a pid in it); remove it or %s", anotherPIDFile)
	}
	if age, lives := ageOf(pid); lives && pid != os.Getpid() && age > time.Since(info.ModTime())-clockError {
		return fmt.Errorf("it says %s, which was there before it was written; stop that, remove the file, or %s", nameOf(pid), anotherPIDFile)
	}
	return nil
}

// clockError is how exactly a process's age and a file's are known.
const clockError = 100 * time.Millisecond
