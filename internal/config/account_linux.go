// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

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
