// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/claim"
)

// inDir gives a short path: t.TempDir can be longer than a socket's may be.
func inDir(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bind")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, name)
}

func modeOf(t *testing.T, path string) (mode os.FileMode, uid, gid int) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return info.Mode().Perm(), int(st.Uid), int(st.Gid)
}

func TestUnixPath(t *testing.T) {
	path := inDir(t, "a b.sock")
	old := unix.Umask(0o027)
	defer unix.Umask(old)
	for spec, want := range map[string]os.FileMode{"": 0o750, ",mode=0600": 0o600, ",mode=666,n": 0o666, ",mode=7": 0o007} {
		s := mustOpen(t, "unix:"+path+spec, AnyFamily)
		if got, _, _ := modeOf(t, path); got != want {
			t.Errorf("mode of %q is %o, want %o", spec, got, want)
		}
		if s.Network != "unix" || s.Address != path {
			t.Errorf("%+v", s)
		}
		if got := flags(t, s.FD, unix.F_GETFL)&unix.O_NONBLOCK != 0; got != s.Spec.NonBlock {
			t.Errorf("%q: O_NONBLOCK is %v", spec, got)
		}
		if flags(t, s.FD, unix.F_GETFD)&unix.FD_CLOEXEC == 0 {
			t.Errorf("%q: not close-on-exec", spec)
		}
		if os.Getuid() == 0 || want&0o200 != 0 {
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		s.Close()
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q is still there after Close: %v", spec, err)
		}
	}
}

func TestUnixOwner(t *testing.T) {
	path := inDir(t, "a.sock")
	if os.Getuid() != 0 {
		_, err := Open(mustParse(t, "unix:"+path+",user=0"), AnyFamily, 0)
		if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "it takes root") {
			t.Errorf("user=0: %v", err)
		}
		return
	}
	s := mustOpen(t, "unix:"+path+",mode=0660,user=daemon,group=54321", AnyFamily)
	if mode, uid, gid := modeOf(t, path); mode != 0o660 || uid == 0 || gid != 54321 {
		t.Errorf("mode %o, user %d, group %d", mode, uid, gid)
	}
	s.Close()
	for spec, want := range map[string]string{
		",user=no-such-user":   `cannot find user "no-such-user"`,
		",group=no-such-group": `cannot find group "no-such-group"`,
	} {
		_, err := Open(mustParse(t, "unix:"+path+spec), AnyFamily, 0)
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v", spec, err)
		}
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("something was bound before the user was known")
	}
}

func TestUnixAbstract(t *testing.T) {
	name := "@" + inDir(t, "name")
	s := mustOpen(t, "unix:"+name+",backlog=3", AnyFamily)
	if s.Address != name {
		t.Errorf("Address = %q", s.Address)
	}
	_, err := Open(mustParse(t, "unix:"+name), AnyFamily, 0)
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "another -b of this same command") {
		t.Errorf("a second one: %v", err)
	}
	c, err := net.Dial("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	s.Close()
	mustOpen(t, "unix:"+name, AnyFamily)
}

// TestUnixLongest: a path has a final zero byte, an abstract name one in front.
func TestUnixLongest(t *testing.T) {
	name := "@" + strings.Repeat("n", 107)
	s := mustOpen(t, "unix:"+name, AnyFamily)
	if s.Address != name {
		t.Errorf("Address = %q", s.Address)
	}
	c, err := net.Dial("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := Open(mustParse(t, "unix:"+name), AnyFamily, 0); err == nil || !strings.Contains(err.Error(), "held by another -b") {
		t.Errorf("a second one: %v", err)
	}
}

// TestUnixTwice: a path that leads to one of our own, which does not listen yet,
// is not taken for stale.
func TestUnixTwice(t *testing.T) {
	path := inDir(t, "a.sock")
	dir := filepath.Dir(path)
	link := inDir(t, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	_, err := OpenAll(t.Context(), []Spec{mustParse(t, "unix:"+path), mustParse(t, "unix:"+link+"/a.sock")}, AnyFamily, 0)
	if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "it is the path of another -b of this same command, unix:"+path) {
		t.Errorf("%v", err)
	}
}

func TestUnixInTheWay(t *testing.T) {
	path := inDir(t, "a.sock")
	spec := mustParse(t, "unix:"+path)

	live := mustOpen(t, "unix:"+path, AnyFamily)
	_, err := Open(spec, AnyFamily, 0)
	if !errors.Is(err, claim.ErrServed) {
		t.Errorf("live: %v", err)
	}
	if !strings.Contains(err.Error(), "another -b of this same command") {
		t.Errorf("live: the holder is not named: %v", err)
	}
	// What somebody else puts there is not removed with ours.
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	stale(t, path)
	live.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("another's socket went with ours: %v", err)
	}
	mustOpen(t, "unix:"+path, AnyFamily).Close() // it is stale

	for what, make := range map[string]func() error{
		"a file":          func() error { return os.WriteFile(path, []byte("precious"), 0o666) },
		"a directory":     func() error { return os.Mkdir(path, 0o777) },
		"a symbolic link": func() error { return os.Symlink("elsewhere", path) },
		"a pipe":          func() error { return unix.Mkfifo(path, 0o666) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		_, err := Open(spec, AnyFamily, 0)
		if err == nil || !strings.Contains(err.Error(), "something else is there ("+what+")") {
			t.Errorf("%s: %v", what, err)
		}
		if err := os.Remove(path); err != nil {
			t.Errorf("%s was removed: %v", what, err)
		}
	}
	dgram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer dgram.Close()
	if _, err := Open(spec, AnyFamily, 0); !errors.Is(err, claim.ErrServed) {
		t.Errorf("a socket for datagrams: %v", err)
	}
	if _, err := Open(mustParse(t, "unix:"+path+"/x/y"), AnyFamily, 0); err == nil {
		t.Error("no directory, no error")
	}
}

// stale leaves a socket at the path that nobody serves.
func stale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

// A keeper that is at work in the same directory for ever holds up nobody who
// wants to stop, and then nothing is made.
func TestAStopEndsTheWaitForADirectory(t *testing.T) {
	path := inDir(t, "a.sock")
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := OpenAll(ctx, []Spec{mustParse(t, "unix:"+path)}, AnyFamily, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("OpenAll = %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is there: %v", err)
	}
}

// TestUnixAllOrNone: what was made goes when something else fails; what was
// there stays.
func TestUnixAllOrNone(t *testing.T) {
	first, second := inDir(t, "a.sock"), inDir(t, "b.sock")
	if err := os.WriteFile(second, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	specs := []Spec{mustParse(t, "unix:"+first), mustParse(t, "udp:127.0.0.1:0"), mustParse(t, "unix:"+second)}
	if got, err := OpenAll(t.Context(), specs, AnyFamily, 0); err == nil || got != nil {
		t.Fatalf("OpenAll = %v, %v", got, err)
	}
	if _, err := os.Lstat(first); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the first socket is still there: %v", err)
	}
	if _, err := os.Lstat(second); err != nil {
		t.Error(err)
	}
}

// TestUnixAtTheSameTime: of many who find one stale socket just one gets its
// place, and nobody removes what another has bound and does not serve yet.
func TestUnixAtTheSameTime(t *testing.T) {
	path := inDir(t, "a.sock")
	spec := mustParse(t, "unix:"+path)
	for range 20 {
		stale(t, path)
		got, errs := make(chan *Socket, 8), make(chan error, 8)
		for range 8 {
			go func() {
				s, err := Open(spec, AnyFamily, 0)
				got <- s
				errs <- err
			}()
		}
		var winner *Socket
		for range 8 {
			if err := <-errs; err != nil && !errors.Is(err, claim.ErrServed) {
				t.Error(err)
			}
			if s := <-got; s != nil && winner != nil {
				t.Fatal("two have bound the same path")
			} else if s != nil {
				winner = s
			}
		}
		if winner == nil {
			t.Fatal("nobody has bound the path")
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("the one who has it is not reached: %v", err)
		}
		c.Close()
		winner.Close()
	}
}
