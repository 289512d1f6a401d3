// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// lookupTimeout bounds a name's resolution. The resolver has its own limits;
// this one is for a name server that answers, but never to the point.
const lookupTimeout = 20 * time.Second

// candidate is an address to try, and whether an IPv6 socket on it takes
// connections over IPv4, too.
type candidate struct {
	ip   netip.Addr
	dual bool
}

// candidates returns the addresses to try in their order: one, or two for the
// wildcard, which is for IPv4 alone where the machine has no IPv6.
func candidates(ctx context.Context, spec Spec, family Family) ([]candidate, error) {
	if err := spec.CheckFamily(family); err != nil {
		return nil, fmt.Errorf("cannot bind %s: %w", spec, err)
	}
	any4, any6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	if spec.Host == "" {
		switch family {
		case IPv4Only:
			return []candidate{{ip: any4}}, nil
		case IPv6Only:
			return []candidate{{ip: any6}}, nil
		}
		return []candidate{{ip: any6, dual: true}, {ip: any4}}, nil
	}
	ip, err := netip.ParseAddr(spec.Host)
	if err != nil {
		if ip, err = lookup(ctx, spec, family); err != nil {
			return nil, err
		}
	}
	return []candidate{{ip: ip, dual: ip == any6 && family == AnyFamily}}, nil
}

// lookup returns the first address of the family that the name gives, IPv4
// first.
func lookup(ctx context.Context, spec Spec, family Family) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", spec.Host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("cannot bind %s: cannot resolve %s: %w", spec, spec.Host, err)
	}
	ip, ok := first(ips, family)
	if !ok {
		return netip.Addr{}, fmt.Errorf("cannot bind %s: %w", spec,
			usagef("name %s has no %s address (it has %s)", spec.Host, family, addressList(ips)))
	}
	return ip, nil
}

// addressList shows addresses as a person writes them, each once.
func addressList(ips []netip.Addr) string {
	var list []string
	for _, ip := range ips {
		if text := ip.Unmap().String(); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return strings.Join(list, ", ")
}

func first(ips []netip.Addr, family Family) (netip.Addr, bool) {
	var ip6 netip.Addr
	for _, ip := range ips {
		ip = ip.Unmap()
		if ip.Is4() && family != IPv6Only {
			return ip, true
		}
		if ip.Is6() && !ip6.IsValid() && family != IPv4Only {
			ip6 = ip
		}
	}
	return ip6, ip6.IsValid()
}

// zoneIndex returns the number of the interface that a zone names.
func zoneIndex(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 31); err == nil {
		return uint32(n), nil
	}
	iface, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("no interface is called %q; write it as in [fe80::1%%eth0]:8080: %w", zone, err)
	}
	return uint32(iface.Index), nil
}

// zoneName is the inverse of zoneIndex.
func zoneName(index uint32) string {
	if index == 0 {
		return ""
	}
	if iface, err := net.InterfaceByIndex(int(index)); err == nil {
		return iface.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}
