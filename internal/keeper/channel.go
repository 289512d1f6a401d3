// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
)

// channelKinds is what each worker is to have, in the order of its descriptors.
func (k *keeper) channelKinds() (kinds []link.ChannelKind) {
	if k.cfg.SockFD {
		kinds = append(kinds, link.ChannelControl)
	}
	switch k.cfg.AckBy {
	case config.ByNotify:
		kinds = append(kinds, link.ChannelNotify)
	case config.ByFD:
		kinds = append(kinds, link.ChannelReady)
	}
	return kinds
}

// channelsOf is what a master gets of the channels of a worker that lives.
// Without them the worker can still ACK on the control socket.
func (k *keeper) channelsOf(c *child) ([]link.ChannelKind, []int) {
	if !c.running() {
		return nil, nil
	}
	kinds, fds, err := c.channels.Dup()
	if err != nil {
		k.log.Error("cannot hand over what a worker speaks to us by", "pid", c.PID, "error", err)
	}
	return kinds, fds
}
