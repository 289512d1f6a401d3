// SPDX-License-Identifier: GPL-3.0-or-later

package link

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now reads CLOCK_MONOTONIC, the clock of every time on the link.
func Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // cannot fail for this clock, clock_gettime(2)
	}
	return time.Duration(ts.Nano())
}
