// SPDX-License-Identifier: GPL-3.0-or-later

package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// errMalformed is wrapped by every error about bytes that are no HTTP/1.1.
var errMalformed = errors.New("malformed answer")

// maxLine is the longest status line, header line or chunk size in bytes.
const maxLine = 64 << 10

// answer is one answer, read whole.
type answer struct {
	status int
	body   []byte // only when asked for; valid until the next read
	keep   bool   // the connection may carry another request
}

// answerReader reads answers from one connection, without allocating anything
// once its buffers have grown. The zero value is ready for reset.
type answerReader struct {
	src  io.Reader
	buf  []byte
	r, w int  // buf[r:w] was received and not yet read
	any  bool // a byte of the current answer has arrived
	body []byte
	want bool
}

// reset begins the next answer. What was received beyond the last one stays:
// read sees to it that there is none on a connection that is kept.
func (a *answerReader) reset(src io.Reader) {
	if a.src != src {
		a.src, a.r, a.w = src, 0, 0
	}
	if a.buf == nil {
		a.buf = make([]byte, 4<<10)
	}
	a.any = a.w > a.r
}

// started tells whether a byte of the answer has arrived.
func (a *answerReader) started() bool { return a.any }

// read reads one answer, and its body into answer.body when want is set. It
// returns io.EOF when the connection was closed at any point before the end.
func (a *answerReader) read(want bool) (answer, error) {
	a.want, a.body = want, a.body[:0]
	for {
		status, http11, err := a.statusLine()
		if err != nil {
			return answer{}, err
		}
		h, err := a.headers()
		if err != nil {
			return answer{}, err
		}
		if status >= 100 && status < 200 && status != 101 {
			continue // an interim answer; the final one follows (RFC 9110 section 15.2)
		}
		keep := !h.close && (http11 || h.keepAlive)
		switch {
		case status == 101, status == 204, status == 304:
		case h.chunked:
			err = a.chunks()
		case h.length >= 0:
			err = a.take(h.length)
		default:
			keep, err = false, a.rest()
		}
		if err != nil {
			return answer{}, err
		}
		// Bytes that nobody asked for would pass for the next answer.
		return answer{status: status, body: a.body, keep: keep && a.r == a.w}, nil
	}
}

func (a *answerReader) statusLine() (status int, http11 bool, err error) {
	line, err := a.line()
	if err != nil {
		return 0, false, err
	}
	// HTTP/1.1 200 OK (RFC 9112 section 4); the reason may be missing.
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
		(len(line) > 12 && line[12] != ' ') {
		return 0, false, fmt.Errorf("%w: status line %.40q", errMalformed, line)
	}
	for _, d := range line[9:12] {
		if d < '0' || d > '9' {
			return 0, false, fmt.Errorf("%w: status line %.40q", errMalformed, line)
		}
		status = status*10 + int(d-'0')
	}
	if status < 100 {
		return 0, false, fmt.Errorf("%w: status %d", errMalformed, status)
	}
	return status, line[7] == '1', nil
}

type header struct {
	length                    int64 // -1: not given
	chunked, close, keepAlive bool
}

func (a *answerReader) headers() (header, error) {
	h := header{length: -1}
	for {
		line, err := a.line()
		if err != nil || len(line) == 0 {
			return h, err
		}
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok || len(name) == 0 {
			return h, fmt.Errorf("%w: header line %.40q", errMalformed, line)
		}
		value = bytes.Trim(value, " \t")
		switch {
		case isName(name, "content-length"):
			n, ok := number(value, 10)
			if !ok || (h.length >= 0 && h.length != n) {
				return h, fmt.Errorf("%w: content-length %.40q", errMalformed, value)
			}
			h.length = n
		case isName(name, "transfer-encoding"):
			if !isName(value, "chunked") {
				return h, fmt.Errorf("%w: transfer-encoding %.40q is not understood", errMalformed, value)
			}
			h.chunked = true
		case isName(name, "connection"):
			for token := range bytes.SplitSeq(value, []byte{','}) {
				token = bytes.Trim(token, " \t")
				h.close = h.close || isName(token, "close")
				h.keepAlive = h.keepAlive || isName(token, "keep-alive")
			}
		}
	}
}

func (a *answerReader) chunks() error {
	for {
		line, err := a.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte{';'})
		n, ok := number(bytes.Trim(size, " \t"), 16)
		if !ok {
			return fmt.Errorf("%w: chunk size %.40q", errMalformed, line)
		}
		if n == 0 {
			_, err := a.headers() // the trailers, which end as headers do
			return err
		}
		if err := a.take(n); err != nil {
			return err
		}
		if line, err = a.line(); err != nil {
			return err
		}
		if len(line) != 0 {
			return fmt.Errorf("%w: chunk longer than its size", errMalformed)
		}
	}
}

// take reads n bytes of body.
func (a *answerReader) take(n int64) error {
	for n > 0 {
		if a.r == a.w {
			if err := a.fill(); err != nil {
				return err
			}
		}
		m := int(min(n, int64(a.w-a.r)))
		if a.want {
			a.body = append(a.body, a.buf[a.r:a.r+m]...)
		}
		a.r += m
		n -= int64(m)
	}
	return nil
}

// rest reads body until the connection is closed.
func (a *answerReader) rest() error {
	for {
		if err := a.take(int64(a.w - a.r)); err != nil {
			return err
		}
		switch err := a.fill(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// line returns the next line without its end, valid until the next read.
func (a *answerReader) line() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(a.buf[a.r+seen:a.w], '\n'); i >= 0 {
			line := a.buf[a.r : a.r+seen+i]
			a.r += seen + i + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		seen = a.w - a.r
		if seen > maxLine {
			return nil, fmt.Errorf("%w: a line of more than %d bytes", errMalformed, maxLine)
		}
		if err := a.fill(); err != nil {
			return nil, err
		}
	}
}

// fill receives more, making room first.
func (a *answerReader) fill() error {
	switch {
	case a.r == a.w:
		a.r, a.w = 0, 0
	case a.w == len(a.buf) && a.r > 0:
		a.w = copy(a.buf, a.buf[a.r:a.w])
		a.r = 0
	case a.w == len(a.buf):
		a.buf = append(a.buf, make([]byte, len(a.buf))...)
	}
	n, err := a.src.Read(a.buf[a.w:])
	a.w += n
	a.any = a.any || n > 0
	if n > 0 {
		return nil // an error that came with bytes comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// isName compares without regard to case; lower is in lower case.
func isName(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// number reads an unsigned number without sign, blank or overflow.
func number(b []byte, base int64) (int64, bool) {
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		var d int64
		switch {
		case c >= '0' && c <= '9':
			d = int64(c - '0')
		case c >= 'a' && c <= 'f':
			d = int64(c-'a') + 10
		case c >= 'A' && c <= 'F':
			d = int64(c-'A') + 10
		default:
			return 0, false
		}
		if d >= base {
			return 0, false
		}
		n = n*base + d
	}
	return n, true
}
