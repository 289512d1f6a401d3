// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package bind

import "runtime"

// deferAccept fails: what others have in its place (accept filters) is set up in
// other ways, and does other things.
func deferAccept(_, _ int) error {
	return usagef("defer is Linux's alone, and this is %s; leave it out", runtime.GOOS)
}
