// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxBacklog returns the longest queue that listen(2) grants. The kernel cuts
// anything longer down to it, so a file that cannot be read costs only length.
func maxBacklog() int {
	b, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		return unix.SOMAXCONN
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n <= 0 {
		return unix.SOMAXCONN
	}
	return n
}
