// SPDX-License-Identifier: GPL-3.0-or-later

package link

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// A frame is: length of the payload (4 bytes, big-endian), kind (1 byte),
// number of file descriptors that travel with it (1 byte), payload (JSON).
const headerSize = 6

// MaxPayload bounds one message. The longest is a hello with the whole command
// line, which execve(2) limits to a quarter of the stack (2 MiB by default)
// and JSON may lengthen sixfold.
const MaxPayload = 16 << 20

// maxFDs bounds the file descriptors of one message.
const maxFDs = 16

var errFrame = errors.New("cannot read the link")

// encode makes a frame of m. JSON that it holds is sent as it is: escaped for HTML,
// as json.Marshal does it, what was received would be up to six times as long when it
// is sent on, and may be too long then.
func encode(m Message, fds int) ([]byte, error) {
	frame := bytes.NewBuffer(make([]byte, headerSize, 256))
	to := json.NewEncoder(frame)
	to.SetEscapeHTML(false)
	if err := to.Encode(m); err != nil {
		return nil, fmt.Errorf("cannot encode %T for the link: %w", m, err)
	}
	b := bytes.TrimSuffix(frame.Bytes(), []byte("\n")) // the encoder's own
	length := len(b) - headerSize
	if length > MaxPayload || fds > maxFDs {
		return nil, fmt.Errorf("cannot encode %T for the link: %d bytes and %d file descriptors are too much", m, length, fds)
	}
	binary.BigEndian.PutUint32(b, uint32(length))
	b[4], b[5] = byte(m.kind()), byte(fds)
	return b, nil
}

// frame is what cutFrame found.
type frame struct {
	msg  Message // nil: of a kind that this version does not know
	fds  int
	size int // bytes, header included; 0: not whole yet
}

// cutFrame decodes the frame at the start of b. A frame that is not whole yet
// is no error: its size is 0. One with a payload of more than most bytes is.
func cutFrame(b []byte, most int) (frame, error) {
	if len(b) < headerSize {
		return frame{}, nil
	}
	length := binary.BigEndian.Uint32(b)
	if length > uint32(most) {
		return frame{}, fmt.Errorf("%w: a message of %d bytes, at most %d are allowed", errFrame, length, most)
	}
	fds := int(b[5])
	if fds > maxFDs {
		return frame{}, fmt.Errorf("%w: a message with %d file descriptors, at most %d are allowed", errFrame, fds, maxFDs)
	}
	size := headerSize + int(length)
	if len(b) < size {
		return frame{}, nil
	}
	m := newMessage(kind(b[4]))
	if m != nil {
		if err := json.Unmarshal(b[headerSize:size], m); err != nil {
			return frame{}, fmt.Errorf("%w: %T: %w", errFrame, m, err)
		}
	}
	return frame{msg: m, fds: fds, size: size}, nil
}
