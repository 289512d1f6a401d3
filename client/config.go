// SPDX-License-Identifier: MIT

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"einhyrningsins/internal/wire"
)

// Config returns every setting of the daemon as it is now.
func (c *Client) Config(ctx context.Context) (*Settings, error) {
	return c.config(ctx, nil)
}

// SetConfig changes settings while the daemon runs; each of values is a
// KEY=VALUE. Settings.Changed and Settings.Refused tell what became of each.
// When the master refuses as a whole it comes back beside the [*Error], if the
// master gave it.
func (c *Client) SetConfig(ctx context.Context, values ...string) (*Settings, error) {
	return c.config(ctx, values)
}

func (c *Client) config(ctx context.Context, values []string) (*Settings, error) {
	reply, err := c.call(ctx, Request{Command: wire.Config, Args: values}, nil, true)
	var refused *Error
	if err != nil && (!errors.As(err, &refused) || len(reply.Data) == 0) {
		return nil, err
	}
	settings := new(Settings)
	if decodeErr := json.Unmarshal(reply.Data, settings); decodeErr != nil {
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("cannot read the settings: %w", decodeErr)
	}
	return settings, err
}
