// SPDX-License-Identifier: GPL-3.0-or-later

package link

import "encoding/json"

// Reload asks the keeper to replace this master by one that is started from
// the binary on disk.
type Reload struct{}

// Quiesce asks the old master to stand still and to hand over what it has in
// hand, on the stream that comes as a file descriptor: Client and Luggage
// messages, and Handed as the last.
type Quiesce struct{}

// Quiesced answers Quiesce: nothing follows on the link until ReloadFailed. If
// Failure is not "", nothing is handed over, and why.
type Quiesced struct {
	Failure string `json:"failure,omitempty"`
}

// ReloadFailed says that the master stays, and why; it goes on if it was
// quiesced.
type ReloadFailed struct {
	Reason string `json:"reason"`
}

// Client is one connection of the control socket on its way from master to
// master, with its descriptor. Data is internal/control's.
type Client struct {
	Data json.RawMessage `json:"data"`
}

// Luggage is what else one master hands to the next.
type Luggage struct {
	Data json.RawMessage `json:"data"`
}

// Handed ends a handover.
type Handed struct{}
