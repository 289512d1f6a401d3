// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// einhornRequest is one request in einhorn's dialect.
type einhornRequest struct {
	command string
	args    []string
	id      int    // 0: none
	user    string // with ehlo
}

// line is the request as it is sent: a YAML map with strings in double quotes,
// in which just % and the newline need to be escaped for the line's sake.
func (r einhornRequest) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, `--- {"command": %s`, yamlString(r.command))
	if r.user != "" {
		fmt.Fprintf(&b, `, "user": %s`, yamlString(r.user))
	}
	if r.id != 0 {
		args := make([]string, len(r.args))
		for i, a := range r.args {
			args[i] = yamlString(a)
		}
		fmt.Fprintf(&b, `, "args": [%s], "id": %d`, strings.Join(args, ", "), r.id)
	}
	b.WriteByte('}')
	return escapeLine.Replace(b.String()) + "\n"
}

var (
	escapeLine   = strings.NewReplacer("%", "%25", "\n", "%0A")
	unescapeLine = strings.NewReplacer("%25", "%", "%0A", "\n")
)

// yamlString quotes text as YAML 1.1, 5.5 and 5.6, wants it: what is not
// printable is escaped. Bytes that are no UTF-8 cannot be said in YAML.
func yamlString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(text, string(utf8.RuneError)) {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// einhornReply is one line of an answer.
type einhornReply struct {
	message string
	wait    bool // more lines follow
}

// errNotEinhorn is about an answer that our master would not give. Its YAML is
// a small part of all there is (docs/protocol.md), so that reading it takes no
// library.
var errNotEinhorn = errors.New("cannot read the answer: it is not an einhyrningsins' own; what runs in Ruby is driven by the einhornsh that came with it, or by signals, as in kill -INT PID")

// parseEinhornReply reads one line, its newline removed: a map with an entry a
// line, in which texts are in double quotes.
func parseEinhornReply(line []byte) (einhornReply, error) {
	var r einhornReply
	text, ok := strings.CutPrefix(unescapeLine.Replace(string(line)), "---\n")
	if !ok {
		return r, errNotEinhorn
	}
	found := false
	for entry := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		key, value, ok := strings.Cut(entry, ": ")
		switch {
		case !ok:
			return r, errNotEinhorn
		case key == "message":
			if r.message, ok = unquoteYAML(value); !ok {
				return r, errNotEinhorn
			}
			found = true
		case key == "wait":
			r.wait = value == "true"
		}
	}
	if !found {
		return r, errNotEinhorn
	}
	return r, nil
}

// yamlEscapes are those of one letter (YAML 1.1, 5.6).
var yamlEscapes = map[byte]rune{
	'0': 0, 'a': '\a', 'b': '\b', 't': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', 'e': 0x1b,
	' ': ' ', '"': '"', '/': '/', '\\': '\\', 'N': 0x85, '_': 0xa0, 'L': 0x2028, 'P': 0x2029,
}

// unquoteYAML reads a text in double quotes on one line.
func unquoteYAML(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, `"\`)
		if i < 0 {
			i = len(s)
		}
		b.WriteString(s[:i])
		if s = s[i:]; s == "" {
			break
		}
		if s[0] == '"' || len(s) < 2 {
			return "", false
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
		r, ok := yamlEscapes[s[1]]
		if len(s) < 2+digits {
			return "", false
		}
		if digits > 0 {
			n, err := strconv.ParseUint(s[2:2+digits], 16, 31)
			r, ok = rune(n), err == nil
		}
		if !ok {
			return "", false
		}
		b.WriteRune(r)
		s = s[2+digits:]
	}
	return b.String(), true
}
