// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package logging

import "os"

// holdTerminal does nothing here: there is no way to block a signal on one
// thread. Don't run in the background of a terminal under `stty tostop`.
func holdTerminal(*os.File) {}
