// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"net/netip"
	"strconv"
	"strings"
)

// maxName is the longest name that DNS can hold, in bytes (RFC 1035, 2.3.4, as
// text without the final dot's length byte).
const maxName = 253

// parseAddress reads ADDR:PORT. ADDR is an IPv4 address, an IPv6 address in
// brackets, a name, or nothing or * for the wildcard.
func parseAddress(addr string) (host string, number int, err error) {
	host, port, err := splitPort(addr)
	if err != nil {
		return "", 0, err
	}
	if number, err = parsePort(port); err != nil {
		return "", 0, err
	}
	host, err = parseHost(host, port)
	return host, number, err
}

// splitPort parts ADDR:PORT at the colon before the port; brackets stay.
func splitPort(addr string) (host, port string, err error) {
	if rest, ok := strings.CutPrefix(addr, "["); ok {
		inside, after, closed := strings.Cut(rest, "]")
		if !closed {
			return "", "", usagef("address %q lacks its closing bracket; write it as in [::1]:8080", addr)
		}
		if port, ok = strings.CutPrefix(after, ":"); !ok {
			return "", "", usagef("address %q has no port after its bracket; write it as in [::1]:8080", addr)
		}
		return "[" + inside + "]", port, nil
	}
	if err := notAnAddress(addr); err != nil {
		return "", "", err
	}
	switch strings.Count(addr, ":") {
	case 0:
		if addr != "" && strings.Trim(addr, "0123456789") == "" {
			return "", "", usagef("%q is a port without an address; write it as in 127.0.0.1:8080 or :8080", addr)
		}
		return "", "", usagef("address %q has no port; write it as in 127.0.0.1:8080", addr)
	case 1:
		host, port, _ = strings.Cut(addr, ":")
		return host, port, nil
	}
	return "", "", usagef("address %q has several colons; write it as in [::1]:8080, an IPv6 address in brackets", addr)
}

// notAnAddress knows what other programs would take here.
func notAnAddress(s string) error {
	if rest, ok := strings.CutPrefix(s, "tcp:"); ok && strings.Contains(rest, ":") {
		return usagef("address %q begins with tcp:, which goes without saying; write it as in %s", s, strings.TrimLeft(rest, "/"))
	}
	for _, begin := range []string{"/", "./", "../", "@"} {
		if strings.HasPrefix(s, begin) {
			return usagef("%q is a path or an abstract name, not an address; write it as in unix:%s", s, s)
		}
	}
	if strings.Contains(s, "://") {
		return usagef("%q is a URL, not an address; write it as in 127.0.0.1:8080", s)
	}
	return nil
}

func parseHost(host, port string) (string, error) {
	if host == "" || host == "*" {
		return "", nil
	}
	if inside, ok := strings.CutPrefix(host, "["); ok {
		return parseIPv6(strings.TrimSuffix(inside, "]"), port)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return ip.String(), nil
	}
	last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]
	switch {
	case len(host) > maxName:
		return "", usagef("name of %d bytes is longer than the %d that a name can have; write it as in localhost:8080", len(host), maxName)
	case strings.Trim(last, "0123456789.") == "":
		// No top-level domain is a number (RFC 3696, section 2): this was meant as
		// an address, and asking a name server for it could only surprise.
		return "", usagef("address %q is not an IPv4 address; write it as in 127.0.0.1:8080", host)
	case strings.Trim(host, nameBytes) != "" || strings.ContainsAny(host[:1], ".-") || strings.Contains(host, ".."):
		return "", usagef("address %q is neither an IPv4 address nor a name; write it as in 127.0.0.1:8080 or localhost:8080", host)
	}
	return host, nil
}

const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

func parseIPv6(inside, port string) (string, error) {
	ip, err := netip.ParseAddr(inside)
	if err != nil || !ip.Is6() || !printable(ip.Zone()) {
		return "", usagef("address %q in brackets is not an IPv6 address; write it as in [::1]:8080", inside)
	}
	if ip.Is4In6() {
		return "", usagef("address %q is an IPv4 address written as IPv6; write it as in %s:%s", inside, ip.Unmap().WithZone(""), port)
	}
	return ip.String(), nil
}

// printable tells whether a zone can be printed and read back: interface names
// may hold nearly anything.
func printable(zone string) bool {
	for _, c := range []byte(zone) {
		if c <= ' ' || c > '~' || strings.IndexByte("%/[],", c) >= 0 {
			return false
		}
	}
	return true
}

func parsePort(port string) (int, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || len(port) > len("65535") {
		return 0, usagef("port %q is not a number from 0 to 65535; write it as in 127.0.0.1:8080", port)
	}
	return int(n), nil
}

// printAddress is the inverse of parseAddress.
func printAddress(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}
