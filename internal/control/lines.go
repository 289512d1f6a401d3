// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"bytes"
	"errors"
	"sync"

	"einhyrningsins/internal/wire"
)

// errLineTooLong is told once for each line over [wire.MaxLine].
var errLineTooLong = errors.New("line too long")

// errNoLine means that no whole line is there.
var errNoLine = errors.New("no line")

// chunkSize is the first size of a read buffer, plenty for most requests. Who
// waits without a half line holds none at all.
const chunkSize = 1024

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// lines cuts a stream into lines. It holds at most [wire.MaxLine] bytes. The
// zero value is ready; it belongs to one goroutine.
//
// Use: read into room, tell added, call next until errNoLine, then rest.
type lines struct {
	buf      []byte
	start    int // of the first line not yet returned
	before   int // start before the last line was returned
	scanned  int // no newline in buf[start:scanned]
	end      int // of what was read
	skipping bool
	untold   bool                     // errLineTooLong is to be returned (again)
	head     [len(documentStart)]byte // of the last line that was too long
}

// room returns where to read the next bytes to. It is never empty as long as
// next was called until errNoLine.
func (l *lines) room() []byte {
	if l.buf == nil {
		l.buf = chunks.Get().(*[chunkSize]byte)[:]
	}
	if l.start > 0 {
		l.move(l.buf)
	}
	if l.end == len(l.buf) {
		old := l.buf
		l.move(make([]byte, min(2*len(old), wire.MaxLine)))
		giveBack(old)
	}
	return l.buf[l.end:]
}

// move puts what isn't returned yet at the beginning of buf and goes on there.
func (l *lines) move(buf []byte) {
	n := copy(buf, l.buf[l.start:l.end])
	l.buf, l.start, l.scanned, l.end = buf, 0, l.scanned-l.start, n
}

func (l *lines) added(n int) { l.end += n }

// next returns the next line without its newline (LF or CRLF), valid until
// room or rest is called; errLineTooLong once for a line that is too long, of
// which only the beginning is returned; errNoLine when more has to be read.
func (l *lines) next() ([]byte, error) {
	if l.untold {
		l.untold = false
		return l.head[:], errLineTooLong
	}
	for {
		i := bytes.IndexByte(l.buf[l.scanned:l.end], '\n')
		if i < 0 {
			return l.noNewline()
		}
		line := l.buf[l.start : l.scanned+i]
		l.before = l.start
		l.start = l.scanned + i + 1
		l.scanned = l.start
		if l.skipping {
			l.skipping = false
			continue
		}
		return bytes.TrimSuffix(line, []byte{'\r'}), nil
	}
}

// back undoes the call of next that just returned this.
func (l *lines) back(err error) {
	if err != nil {
		l.untold = true
		return
	}
	l.start, l.scanned = l.before, l.before
}

func (l *lines) noNewline() ([]byte, error) {
	l.scanned = l.end
	tooLong := l.end-l.start >= wire.MaxLine
	if tooLong && !l.skipping {
		copy(l.head[:], l.buf[l.start:])
	}
	if l.skipping || tooLong {
		l.start, l.scanned, l.end = 0, 0, 0
	}
	if l.skipping || !tooLong {
		return nil, errNoLine
	}
	l.skipping = true
	return l.head[:], errLineTooLong
}

// last returns what stands after the last newline when no more will come; nil
// if there is nothing.
func (l *lines) last() []byte {
	if l.skipping || l.start == l.end {
		return nil
	}
	return bytes.TrimSuffix(l.buf[l.start:l.end], []byte{'\r'})
}

// unread is what has been read and not returned.
func (l *lines) unread() []byte { return l.buf[l.start:l.end] }

// untoldHead is the beginning of a line that was too long, if that is still to
// be told.
func (l *lines) untoldHead() []byte {
	if !l.untold {
		return nil
	}
	return l.head[:]
}

// restore makes l what another was, of which these were known.
func (l *lines) restore(unread, untoldHead []byte, skipping bool) {
	*l = lines{buf: unread, end: len(unread), untold: len(untoldHead) > 0, skipping: skipping}
	copy(l.head[:], untoldHead)
	if len(unread) == 0 {
		l.buf = nil
	}
}

// rest gives back the memory that isn't needed while nothing comes.
func (l *lines) rest() {
	old := l.buf
	switch kept := l.end - l.start; {
	case old == nil:
	case kept == 0:
		l.buf, l.start, l.scanned, l.end = nil, 0, 0, 0
		giveBack(old)
	case len(old) > chunkSize && kept <= chunkSize/2:
		l.move(chunks.Get().(*[chunkSize]byte)[:])
	}
}

// drop gives back all memory; nothing is kept.
func (l *lines) drop() {
	giveBack(l.buf)
	*l = lines{}
}

func giveBack(buf []byte) {
	if len(buf) == chunkSize {
		chunks.Put((*[chunkSize]byte)(buf))
	}
}
