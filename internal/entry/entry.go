// SPDX-License-Identifier: GPL-3.0-or-later

// Package entry is the first instructions of the daemon: the linker is told to
// let it begin there (-E einhyrningsins/internal/entry.first), and not in Go's
// runtime, which takes a millisecond or, on a busy machine, many before a
// program can ask for signals. docs/decisions/early-signals.md says why.
//
// Until then HUP is ignored, since there is nothing to upgrade yet, USR1, USR2,
// TTIN, TTOU and ALRM are blocked, which Go's runtime leaves them until
// [os/signal.Notify] asks for them, and INT ends us also if we were started
// with it ignored. A process of another role (einhyrn-master and the like) has
// manners of its own, and begins as any Go program.
//
// There is one for amd64. Elsewhere, and without that option of the linker, all
// is as it is in any Go program.
package entry
