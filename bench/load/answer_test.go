// SPDX-License-Identifier: GPL-3.0-or-later

package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/iotest"
)

// write writes an answer with the given body, cut into chunks of size chunk
// unless that is 0.
func write(status int, body []byte, chunk int) []byte {
	var b bytes.Buffer
	if chunk == 0 {
		fmt.Fprintf(&b, "HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
		return b.Bytes()
	}
	fmt.Fprintf(&b, "HTTP/1.1 %d\r\ntransfer-ENCODING:chunked\r\n\r\n", status)
	for len(body) > 0 {
		n := min(chunk, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

// FuzzAnswerRoundTrip has bodies that repeat a short part, so that they outgrow the
// buffers and the input stays short: what is long is minimized for a minute.
func FuzzAnswerRoundTrip(f *testing.F) {
	const longest = 5 << 10 // more than a reader begins with
	f.Add([]byte("hello"), uint16(1), uint16(0), false)
	f.Add([]byte("hello"), uint16(1), uint16(2), true)
	f.Add([]byte("0\r\n\r\n"), uint16(3000), uint16(4096), false)
	f.Fuzz(func(t *testing.T, part []byte, times, chunk uint16, slow bool) {
		body := bytes.Repeat(part, min(int(times), longest/max(len(part), 1)))
		wire := write(200, body, int(chunk))
		var src io.Reader = bytes.NewReader(wire)
		if slow {
			src = iotest.OneByteReader(src)
		}
		var in answerReader
		in.reset(src)
		a, err := in.read(true)
		if err != nil || a.status != 200 || !a.keep || !bytes.Equal(a.body, body) {
			t.Fatalf("want %q back, got %+v, %v", body, a, err)
		}
		// And every part of it is a truncated answer.
		in = answerReader{}
		in.reset(bytes.NewReader(wire[:len(wire)-1]))
		if _, err := in.read(true); !errors.Is(err, io.EOF) {
			t.Fatalf("one byte short: want EOF, got %v", err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", "HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		fast, fastErr := parse(bytes.NewReader(wire))
		slow, slowErr := parse(iotest.OneByteReader(bytes.NewReader(wire)))
		if (fastErr == nil) != (slowErr == nil) || fast.status != slow.status || !bytes.Equal(fast.body, slow.body) {
			t.Fatalf("in one piece %+v, %v; byte by byte %+v, %v", fast, fastErr, slow, slowErr)
		}
		if fastErr != nil && !errors.Is(fastErr, io.EOF) && !errors.Is(fastErr, errMalformed) {
			t.Fatalf("want EOF or a malformed answer, got %v", fastErr)
		}
	})
}

func parse(src io.Reader) (answer, error) {
	var in answerReader
	in.reset(src)
	return in.read(true)
}

func TestMalformedAnswers(t *testing.T) {
	for _, s := range []string{
		"HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: " + string(bytes.Repeat([]byte("x"), 2*maxLine)),
	} {
		if _, err := parse(bytes.NewReader([]byte(s))); !errors.Is(err, errMalformed) {
			t.Errorf("%.60q: want a malformed answer, got %v", s, err)
		}
	}
}

func TestKindOfDialTimeout(t *testing.T) {
	if got := kindOf(&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}); got != Timeout {
		t.Errorf("got %q, want %q", got, Timeout)
	}
}
