// SPDX-License-Identifier: GPL-3.0-or-later

package link

import (
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

// appendFrame appends m, encoded, to b.
func appendFrame(b []byte, m Message, fds int) ([]byte, error) {
	payload, err := json.Marshal(m)
	if err != nil {
		return b, fmt.Errorf("cannot encode %T for the link: %w", m, err)
	}
	if len(payload) > MaxPayload || fds > maxFDs {
		return b, fmt.Errorf("cannot encode %T for the link: %d bytes and %d file descriptors are too much", m, len(payload), fds)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, byte(m.kind()), byte(fds))
	return append(b, payload...), nil
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
