// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import "net/netip"

// Asked is the host that was asked for, "" for any; of a socket that we were
// started with, that where it is.
func (s *Socket) Asked() string {
	if s.Spec.Kind != FD && s.Spec.Kind != Systemd {
		return s.Spec.Host
	}
	at, err := netip.ParseAddrPort(s.Address)
	if err != nil {
		return ""
	}
	return at.Addr().String()
}
