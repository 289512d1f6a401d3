// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package bind

import "net/netip"

// WhoHolds returns nothing: this system has no /proc to ask.
func WhoHolds(network, address string) []Holder { return nil }

func lingers(netip.AddrPort) bool { return false }
