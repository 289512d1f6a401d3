// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// MaxUnixPath is what fits into sun_path, unix(7): a path with its final zero byte,
// or an abstract name behind the zero byte for which @ stands.
const MaxUnixPath = len(unix.RawSockaddrUnix{}.Path) - 1

// maxFD is above every descriptor that a system gives out.
const maxFD = 1<<20 - 1

// ParseSpec reads one of these, and options behind commas, which words.go
// lists:
//
//	ADDR:PORT  udp:ADDR:PORT  unix:PATH  unix:@NAME  fd:N  systemd[:NAME]
//
// Every error matches [ErrUsage].
func ParseSpec(s string) (Spec, error) {
	what, words, hasWords := strings.Cut(s, ",")
	spec, err := parseWhat(what)
	if err == nil && hasWords {
		err = spec.parseWords(what, strings.Split(words, ","))
	}
	if err != nil {
		return Spec{}, err
	}
	return spec, nil
}

func parseWhat(what string) (spec Spec, err error) {
	for _, kind := range []Kind{UDP, Unix, FD} {
		if rest, ok := strings.CutPrefix(what, prefixes[kind]); ok {
			spec.Kind = kind
			switch kind {
			case UDP:
				err = spec.parseUDP(rest)
			case Unix:
				err = spec.parsePath(rest)
			case FD:
				spec.FD, err = parseFD(rest)
			}
			return spec, err
		}
	}
	if rest, ok := strings.CutPrefix(what, prefixes[Systemd]); ok && (rest == "" || rest[0] == ':') {
		spec.Kind = Systemd
		if rest != "" {
			spec.From = rest[1:]
			if fault := nameFault(spec.From); fault != "" {
				return spec, usagef("name %q %s; write it as in systemd:web, or systemd for all of them", spec.From, fault)
			}
		}
		return spec, nil
	}
	spec.Host, spec.Port, err = parseAddress(what)
	return spec, err
}

func (s *Spec) parseUDP(rest string) (err error) {
	if strings.HasPrefix(rest, "/") {
		return usagef("UDP address %q begins with a slash; write it as in udp:127.0.0.1:5353 or udp::5353", rest)
	}
	if !strings.Contains(rest, ":") {
		return usagef("UDP address %q is not ADDR:PORT; write it as in udp:127.0.0.1:5353 or udp::5353", rest)
	}
	s.Host, s.Port, err = parseAddress(rest)
	return err
}

func (s *Spec) parsePath(path string) error {
	const right = "write it as in unix:/run/web.sock or unix:@web"
	s.Path = path
	switch {
	case path == "" || path == "@":
		return usagef("path %q has nothing in it; %s", path, right)
	case s.Abstract() && len(path) > len("@")+MaxUnixPath:
		return usagef("name of %d bytes is longer than the %d that an abstract one can have; %s", len(path)-len("@"), MaxUnixPath, right)
	case !s.Abstract() && len(path) > MaxUnixPath:
		return usagef("path of %d bytes is longer than the %d that a socket's can have; %s", len(path), MaxUnixPath, right)
	case !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl):
		return usagef("path %q has bytes that cannot be shown; %s", path, right)
	case !s.Abstract() && strings.HasSuffix(path, "/"):
		return usagef("path %q is a directory's; %s", path, right)
	}
	return nil
}

func parseFD(number string) (int, error) {
	n, err := strconv.ParseUint(number, 10, 32)
	switch {
	case err != nil || len(number) > 1 && number[0] == '0' || n > maxFD:
		return 0, usagef("%q is not the number of a descriptor; write it as in fd:3, or, for a machine of the name fd, fd.:80", number)
	case n < 3:
		return 0, usagef("descriptor %d is standard input, output or error; write it as in fd:3", n)
	}
	return int(n), nil
}

// what prints the spec without its options.
func (s Spec) what() string {
	switch s.Kind {
	case Unix:
		return "unix:" + s.Path
	case FD:
		return "fd:" + strconv.Itoa(s.FD)
	case Systemd:
		if s.From != "" {
			return "systemd:" + s.From
		}
		return "systemd"
	}
	return prefixes[s.Kind] + printAddress(s.Host, s.Port)
}

// String prints the spec in its shortest form; [ParseSpec] reads it back.
func (s Spec) String() string {
	var b strings.Builder
	b.WriteString(s.what())
	for i := range words {
		if text := words[i].text(&s); text != "" {
			b.WriteString("," + text)
		}
	}
	return b.String()
}

// CheckFamily tells whether a literal address is of the other family than the
// one asked for. Names and the wildcard pass: what they mean is known only when
// they are opened. The error matches [ErrUsage].
func (s Spec) CheckFamily(family Family) error {
	if s.V6Only && family == IPv4Only {
		return usagef("%s has v6only, but only IPv4 is asked for (-4); write it as in %s, or leave -4 out", s, s.what())
	}
	ip, err := netip.ParseAddr(s.Host)
	if err != nil {
		return nil
	}
	if family == IPv4Only && !ip.Is4() {
		return usagef("%s is an IPv6 address, but only IPv4 is asked for (-4); write it as in 0.0.0.0:%d, or leave -4 out", s, s.Port)
	}
	if family == IPv6Only && ip.Is4() {
		return usagef("%s is an IPv4 address, but only IPv6 is asked for (-6); write it as in [::]:%d, or leave -6 out", s, s.Port)
	}
	return nil
}

// Clashes tells why two specs cannot be given together; nil: they can. The
// error matches [ErrUsage].
func (s Spec) Clashes(other Spec) error {
	switch {
	case s.Name != "" && s.Name == other.Name:
		return usagef("%s and %s have the same name; give each one of its own, as in name=web", other, s)
	case s.Kind != other.Kind, s.Host != other.Host, s.Path != other.Path, s.FD != other.FD:
		return nil
	case s.Kind == Systemd && s.From != other.From && s.From != "" && other.From != "":
		return nil
	case s.Kind == Systemd && s.From != other.From:
		return usagef("systemd takes all that there is, and systemd:%s some of it again; give one of them", s.From+other.From)
	case s.HasPort() && (s.Port != other.Port || s.Port == 0):
		return nil
	}
	return usagef("%s is given twice; workers share one socket, so one -b is enough", other)
}
