// SPDX-License-Identifier: GPL-3.0-or-later

package einhorn

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Symbol is a Ruby symbol; its text must be an identifier.
type Symbol string

// Map is a map in order. Pair keys are Symbols, strings or ints.
type Map []Pair

// Pair is an entry of a [Map].
type Pair struct{ Key, Value any }

// Set is a set of strings. It is written as Psych writes a Set of every version of
// Ruby, the built-in one since 3.5 included.
type Set []string

// timeLayout is how Psych writes a Time in UTC: a plain timestamp of YAML.
const timeLayout = "2006-01-02 15:04:05.000000000 Z"

// Dump writes a value as a YAML document. It takes nil, bool, int, float64,
// string, [Symbol], [time.Time], [Map], [Set] and []any.
func Dump(v any) string {
	var b strings.Builder
	b.WriteString("---")
	write(&b, v, 0)
	return b.String()
}

// write writes what follows a key, a dash or the document's beginning: one line
// with a newline at its end, or several below.
func write(b *strings.Builder, v any, depth int) {
	switch v := v.(type) {
	case Map:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteByte('\n')
		for _, p := range v {
			indent(b, depth)
			b.WriteString(scalar(p.Key))
			b.WriteByte(':')
			write(b, p.Value, depth+1)
		}
	case Set:
		m := make(Map, len(v))
		for i, s := range v {
			m[i] = Pair{s, true}
		}
		b.WriteString(" !ruby/object:Set")
		write(b, Map{{Key: "hash", Value: m}}, depth)
	case []any:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteByte('\n')
		for _, item := range v {
			indent(b, depth)
			b.WriteByte('-')
			write(b, item, depth+1)
		}
	default:
		b.WriteByte(' ')
		b.WriteString(scalar(v))
		b.WriteByte('\n')
	}
}

func indent(b *strings.Builder, depth int) {
	for range depth {
		b.WriteString("  ")
	}
}

func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		if v == float64(int64(v)) {
			return strconv.FormatInt(int64(v), 10)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(timeLayout)
	case Symbol:
		return ":" + string(v)
	case string:
		return quote(v)
	}
	return quote(fmt.Sprint(v))
}

// quote writes a string in double quotes, where every parser takes everything
// for text. It uses no escape that an old one does not know, if it can.
func quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for len(s) > 0 {
		c, size := utf8.DecodeRuneInString(s)
		switch {
		case c == utf8.RuneError && size == 1:
			b.WriteRune(utf8.RuneError)
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c == 0xfeff || !unicode.IsPrint(c) && c <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, c)
		case !unicode.IsPrint(c):
			fmt.Fprintf(&b, `\U%08x`, c)
		default:
			b.WriteRune(c)
		}
		s = s[size:]
	}
	b.WriteByte('"')
	return b.String()
}
