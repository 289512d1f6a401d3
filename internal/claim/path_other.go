// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package claim

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// give changes mode and owner by name, without following links where the system
// can: the directory must not be others' to write.
func (p *Path) give(mode, owner, group int) error {
	if owner >= 0 || group >= 0 {
		if err := unix.Lchown(p.name, owner, group); err != nil {
			return cannotGive(err)
		}
	}
	if mode == 0 {
		return nil
	}
	if err := unix.Fchmodat(unix.AT_FDCWD, p.name, uint32(mode), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("cannot set its mode: %w", err)
	}
	return nil
}
