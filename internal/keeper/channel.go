// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"einhyrningsins/internal/channel"
	"einhyrningsins/internal/claim"
	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/notify"
)

// channelKinds is what each worker is to have, in the order of its descriptors.
func (k *keeper) channelKinds() (p channel.Plan) {
	if k.cfg.SockFD {
		p.Kinds = append(p.Kinds, link.ChannelControl)
	}
	switch k.cfg.AckBy {
	case config.ByNotify:
		p.Kinds = append(p.Kinds, link.ChannelNotify)
		p.Place = notify.Place{Dir: claim.SocketsOf(k.cfg.SocketPath), Others: k.cfg.Limits.RunAs != nil}
	case config.ByFD:
		p.Kinds = append(p.Kinds, link.ChannelReady)
	}
	return p
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
