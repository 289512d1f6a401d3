// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"bytes"
	"fmt"
	"strings"
)

// assignment is one variable of a file.
type assignment struct{ name, value string }

// parseEnvFile reads assignments by the rules of EnvironmentFile in
// systemd.exec(5). Blank lines, lines without = and those that begin with # or
// ; are passed over. A value may be quoted; without quotes blanks around it
// do not count, a backslash keeps the character behind it, and at the end of a
// line goes on with the next. In double quotes a backslash is one, but before
// a line's end and before " \ ` $. Nothing is expanded.
//
// Names that no shell takes are ignored, as there, and returned as text for
// people. Two things are errors here: a zero byte, and a quotation mark without
// a counterpart, which a file has that is still being written.
func parseEnvFile(data []byte) (list []assignment, ignored []string, err error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return nil, nil, fmt.Errorf("line %d holds a zero byte", 1+bytes.Count(data[:i], []byte("\n")))
	}
	s := scanner{rest: string(data), line: 1}
	for {
		s.take(func(c byte) bool { return strings.IndexByte(" \t\r\n", c) >= 0 })
		if s.rest == "" {
			return list, ignored, nil
		}
		line := s.line
		name := s.take(func(c byte) bool { return c != '=' && !endsLine(c) })
		if name == "" || name[0] != '#' && name[0] != ';' {
			if s.rest == "" || s.rest[0] != '=' {
				continue // no assignment at all
			}
			s.next()
			name = strings.TrimRight(name, " \t")
			value, err := s.value()
			if err != nil {
				return nil, nil, fmt.Errorf("line %d: the value of %q: %w", line, name, err)
			}
			if isName(name) {
				list = append(list, assignment{name, value})
			} else {
				ignored = append(ignored, fmt.Sprintf("line %d: ignoring %q: not a name that a variable can have; write NAME=VALUE", line, name))
			}
			continue
		}
		s.take(func(c byte) bool { return !endsLine(c) }) // the rest of a comment
	}
}

func endsLine(c byte) bool { return c == '\n' || c == '\r' }

// isName tells whether shells would take it for the name of a variable.
func isName(s string) bool {
	for i := range len(s) {
		letter := s[i] == '_' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z'
		if !letter && (i == 0 || s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != ""
}

// scanner goes through a file.
type scanner struct {
	rest string
	line int // where rest begins
}

// next takes one byte; there must be one.
func (s *scanner) next() byte {
	c := s.rest[0]
	s.rest = s.rest[1:]
	if c == '\n' {
		s.line++
	}
	return c
}

// take takes bytes for as long as f holds.
func (s *scanner) take(f func(byte) bool) string {
	all := s.rest
	for s.rest != "" && f(s.rest[0]) {
		s.next()
	}
	return all[:len(all)-len(s.rest)]
}

// value reads what stands behind the =: quoted parts with blanks between them,
// and then what is not quoted, to the end of the line.
func (s *scanner) value() (string, error) {
	var b strings.Builder
	for {
		s.take(func(c byte) bool { return c == ' ' || c == '\t' })
		switch {
		case s.rest == "" || endsLine(s.rest[0]):
			return b.String(), nil
		case s.rest[0] == '\'' || s.rest[0] == '"':
			if err := s.quoted(&b, s.next()); err != nil {
				return "", err
			}
		default:
			s.plain(&b)
			return b.String(), nil
		}
	}
}

// quoted reads to the closing quotation mark.
func (s *scanner) quoted(b *strings.Builder, mark byte) error {
	from := s.line
	for s.rest != "" {
		c := s.next()
		switch {
		case c == mark:
			return nil
		case c == '\\' && mark == '"' && s.rest != "":
			switch e := s.next(); {
			case strings.IndexByte("\"\\`$", e) >= 0:
				b.WriteByte(e)
			case e != '\n': // which goes on with the next line
				b.WriteString(string([]byte{c, e}))
			}
		default:
			b.WriteByte(c)
		}
	}
	return fmt.Errorf("the quotation mark %c of line %d has no counterpart", mark, from)
}

// plain reads to the end of the line what is not quoted.
func (s *scanner) plain(b *strings.Builder) {
	blanks := "" // which count only if something follows
	for s.rest != "" && !endsLine(s.rest[0]) {
		switch c := s.next(); {
		case c == ' ' || c == '\t':
			blanks += string(c)
		case c == '\\':
			b.WriteString(blanks)
			blanks = ""
			if s.rest == "" {
				return
			}
			if e := s.next(); e == '\r' && strings.HasPrefix(s.rest, "\n") {
				s.next()
			} else if !endsLine(e) {
				b.WriteByte(e)
			}
		default:
			b.WriteString(blanks)
			b.WriteByte(c)
			blanks = ""
		}
	}
}
