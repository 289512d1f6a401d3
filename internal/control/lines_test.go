// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"einhyrningsins/internal/wire"
)

// tooLong stands for errLineTooLong in a list of lines.
const tooLong = "\x00too long\x00"

// split feeds stream to a splitter in pieces of the given sizes (repeated).
func split(t testing.TB, stream []byte, sizes []int) (got []string) {
	var l lines
	for i := 0; len(stream) > 0; i++ {
		room := l.room()
		if len(room) == 0 {
			t.Fatal("no room left to read to")
		}
		n := copy(room, stream[:min(len(stream), max(sizes[i%len(sizes)], 1))])
		stream = stream[n:]
		l.added(n)
		for {
			line, err := l.next()
			if err == errNoLine {
				break
			}
			if err == errLineTooLong {
				got = append(got, tooLong)
				continue
			}
			got = append(got, string(line))
		}
		if i%2 == 0 {
			l.rest()
		}
		if len(l.buf) > wire.MaxLine {
			t.Fatalf("holds %d bytes, more than %d", len(l.buf), wire.MaxLine)
		}
	}
	if last := l.last(); last != nil {
		got = append(got, string(last))
	}
	l.rest()
	if l.last() == nil && l.buf != nil {
		t.Fatal("keeps memory for nothing")
	}
	return got
}

// reference is the same without regard to memory.
func reference(stream []byte) (want []string) {
	parts := bytes.Split(stream, []byte{'\n'})
	for i, p := range parts {
		whole := i < len(parts)-1
		switch {
		case len(p) >= wire.MaxLine:
			want = append(want, tooLong)
		case whole || len(p) > 0:
			want = append(want, string(bytes.TrimSuffix(p, []byte{'\r'})))
		}
	}
	return want
}

func TestLines(t *testing.T) {
	long := bytes.Repeat([]byte{'x'}, wire.MaxLine)
	for name, stream := range map[string][]byte{
		"nothing":        nil,
		"one":            []byte("a\n"),
		"CRLF":           []byte("a\r\nb\r\n"),
		"empty":          []byte("\n\n\r\na\n\n"),
		"half":           []byte("a\nb"),
		"longest":        append(long[:wire.MaxLine-1:wire.MaxLine-1], "\nb\n"...),
		"too long":       append(long[:wire.MaxLine:wire.MaxLine], "\nb\n"...),
		"endless":        bytes.Repeat(long, 5),
		"endless, ended": append(bytes.Repeat(long, 5), "y\nb\n"...),
		"around":         append(append([]byte("a\n"), long[:wire.MaxLine-1]...), "\nb\nc"...),
	} {
		t.Run(name, func(t *testing.T) {
			for _, sizes := range [][]int{{1 << 20}, {1000, 7}, {4096}, {65535, 1}} {
				if diff := cmp.Diff(reference(stream), split(t, stream, sizes)); diff != "" {
					t.Errorf("pieces of %v: (-want +got)\n%s", sizes, diff)
				}
			}
		})
	}
}

// FuzzLines: however a stream is cut into reads, the same lines come out as
// from cutting it whole. Runs of 'L' are blown up, to get at the limit.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nbc\n\nd"), 3, 1)
	f.Add([]byte("LLLL\nLLL\nx"), 70000, 5)
	f.Add([]byte("LLLLLLLLL"), 1, 4096)
	f.Fuzz(func(t *testing.T, short []byte, size1, size2 int) {
		stream := bytes.ReplaceAll(short, []byte{'L'}, bytes.Repeat([]byte{'l'}, wire.MaxLine/4))
		if len(stream) > 1<<20 {
			t.Skip("long enough")
		}
		if size1 < 16 && len(stream) > 1<<16 {
			size1 = 16
		}
		want := reference(stream)
		if diff := cmp.Diff(want, split(t, stream, []int{size1, size2})); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}
