// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxID is the greatest number of a user or group: the one above it stands for
// none, setresuid(2).
const maxID = 1<<32 - 2

// Resolve finds out who workers are to be, once and for all: the numbers of
// --user and --group, and all groups of that user, as initgroups(3) has them. It
// reads the files passwd(5) and group(5), and nothing else unless this was built
// with C's library. A user has a HOME and a name then, in Login.
func (c *Config) Resolve() error {
	if c.User == "" && c.Group == "" {
		return nil
	}
	as := &RunAs{UID: os.Geteuid(), GID: -1}
	who := strconv.Itoa(as.UID)
	if c.User != "" {
		who = c.User
	}
	account := lookupUser(who)
	var err error
	switch {
	case account != nil:
		as.UID, err = strconv.Atoi(account.Uid)
		if err == nil {
			as.GID, err = strconv.Atoi(account.Gid)
		}
	case c.User != "":
		var n uint64
		if n, err = strconv.ParseUint(c.User, 10, 32); err == nil && n <= maxID {
			as.UID = int(n)
		} else {
			err = usagef("there is no such user in /etc/passwd; numbers work without one, as in --user 1000 --group 1000")
		}
	}
	if err != nil {
		return usageWrap(err, "cannot run workers as user %s: %v", show(who), err)
	}
	if c.Group != "" {
		if as.GID, err = lookupGroup(c.Group); err != nil {
			return usageWrap(err, "cannot run workers as group %s: %v", show(c.Group), err)
		}
	}
	if as.GID < 0 {
		return usagef("cannot run workers as user %s: there is nothing about it in /etc/passwd, so its group has to be said, as in --user %[1]s --group 1000", show(who))
	}
	if as.Groups, err = groupsOf(account, as.GID); err != nil {
		return fmt.Errorf("cannot find the groups of user %s: %w", show(who), err)
	}
	if err := mayBecome(as); err != nil {
		return fmt.Errorf("cannot run workers as user %d and group %d: %w", as.UID, as.GID, err)
	}
	c.Limits.RunAs = as
	if c.User != "" && account != nil {
		c.Login = []string{"HOME=" + account.HomeDir, "USER=" + account.Username, "LOGNAME=" + account.Username}
	}
	return nil
}

// Barred finds a directory on the way to an absolute path that these workers may
// not pass, as far as its mode tells; "": there is none.
func (as *RunAs) Barred(path string) string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	for ; err == nil && as.UID != 0 && len(dir) > 1; dir = filepath.Dir(dir) {
		var st unix.Stat_t
		if err = unix.Stat(dir, &st); err != nil {
			break
		}
		pass := uint32(1)
		switch {
		case int(st.Uid) == as.UID:
			pass = 0o100
		case slices.Contains(as.Groups, int(st.Gid)):
			pass = 0o010
		}
		if uint32(st.Mode)&pass == 0 {
			return dir
		}
	}
	return ""
}

// lookupUser finds a user by name, or else by number; nil: there is none.
func lookupUser(who string) *user.User {
	for _, lookup := range []func(string) (*user.User, error){user.Lookup, user.LookupId} {
		if account, err := lookup(who); err == nil {
			return account
		}
	}
	return nil
}

func lookupGroup(name string) (int, error) {
	if group, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(group.Gid)
	}
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil || n > maxID {
		return 0, usagef("there is no such group in /etc/group; numbers work without one, as in --group 1000")
	}
	return int(n), nil
}

// groupsOf begins with the group that counts first.
func groupsOf(account *user.User, gid int) ([]int, error) {
	groups := []int{gid}
	if account == nil {
		return groups, nil
	}
	ids, err := account.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, err
		}
		// The user's own group is not kept where another was chosen for it.
		if id != account.Gid && !slices.Contains(groups, n) {
			groups = append(groups, n)
		}
	}
	return groups, nil
}

// mayBecome finds out early what each worker would fail with: whoever is not
// root may become nobody else without a capability.
func mayBecome(as *RunAs) error {
	if os.Geteuid() == 0 || os.Getuid() == as.UID && os.Geteuid() == as.UID && os.Getgid() == as.GID {
		return nil
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	// Without the last of them nobody could end the workers.
	needed := uint32(1)<<unix.CAP_SETUID | 1<<unix.CAP_SETGID | 1<<unix.CAP_KILL
	if data[0].Effective&needed != needed {
		return errors.New("that takes root, or CAP_SETUID, CAP_SETGID, CAP_KILL and CAP_CHOWN; leave --user and --group out, or start as root")
	}
	return nil
}
