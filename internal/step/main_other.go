// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package step

import (
	"fmt"
	"os"
	"syscall"
)

// Supported: there is no way here to find the binary that runs.
const Supported = false

func endOrders(*os.File) error { return syscall.ENOTSUP }

func newReport() (*Report, *os.File, error) { return nil, nil, syscall.ENOTSUP }

// Main has nothing to do here.
func Main([]string) (status int) {
	fmt.Fprintln(os.Stderr, "einhyrningsins: this name has no meaning on this system")
	return 1
}
