// SPDX-License-Identifier: GPL-3.0-or-later

package notify

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxDatagram = 4096 // as much as systemd takes, sd_notify(3)
	maxStatus   = 256  // bytes of STATUS that are kept
	maxOthers   = 4    // names that are told
	maxName     = 32   // bytes of each
)

// longest is the longest time that a worker can ask for.
const longest = 365 * 24 * time.Hour

// parse reads one datagram: assignments, one a line. Lines end and the text ends
// where systemd sees their end, whose readers forgive a CR and a string's NUL. What
// cannot be understood is passed over.
func parse(datagram []byte) (m Message) {
	text, _, _ := strings.Cut(string(datagram), "\x00")
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		name, value, _ := strings.Cut(line, "=")
		if !m.assign(name, value) {
			m.other(name)
		}
	}
	return m
}

// assign tells whether it knew what to do with it.
func (m *Message) assign(name, value string) bool {
	switch {
	case name == "STATUS":
		status := escape(value)
		m.Status = &status
	case name == "READY" && value == "1":
		m.Ready = true
	case name == "STOPPING" && value == "1":
		m.Stopping = true
	case name == "BARRIER" && value == "1":
		m.barrier = true
	case name == "WATCHDOG" && value == "1":
		m.Alive = true
	case name == "WATCHDOG" && value == "trigger":
		m.Faulty = true
	case name == "WATCHDOG_USEC":
		interval, ok := micros(value)
		if !ok {
			return false
		}
		if interval > longest {
			interval = 0 // for ever
		}
		m.Watchdog = &interval
	case name == "EXTEND_TIMEOUT_USEC":
		more, ok := micros(value)
		if !ok {
			return false
		}
		m.Extend = min(more, longest)
	default:
		return false
	}
	return true
}

func (m *Message) other(name string) {
	if len(name) > maxName {
		name = name[:maxName]
	}
	if name = escape(name); len(m.Others) < maxOthers && !slices.Contains(m.Others, name) {
		m.Others = append(m.Others, name)
	}
}

// micros reads a number of microseconds. What is too long for a duration is the
// longest there is.
func micros(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, false
	}
	if n > math.MaxInt64/uint64(time.Microsecond) {
		return math.MaxInt64, true
	}
	return time.Duration(n) * time.Microsecond, true
}

// escape makes text fit for a terminal and for a line of limited length.
func escape(s string) string {
	if len(s) > maxStatus {
		s = s[:maxStatus]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1] // not amid a character
		}
		if r, _ := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && len(s) > 0 {
			s = s[:len(s)-1]
		}
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}
