// SPDX-License-Identifier: GPL-3.0-or-later

package claim

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

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
