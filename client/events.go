// SPDX-License-Identifier: MIT

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"einhyrningsins/internal/wire"
)

// Events returns what happened after the event with the number since (0: all that
// is known: the last 1,000 at most). Numbers only grow as long as the keeper lives.
// What came before [Events].First is known no more. A number that no event had yet is
// an [*Error] with the code Refused: most likely it is another keeper's.
func (c *Client) Events(ctx context.Context, since uint64) (*Events, error) {
	return c.eventsAfter(ctx, since)
}

// FollowEvents calls each, in this goroutine, with what happened after since, and
// with whatever happens then, until ctx ends or each fails. The death of a master
// does not end it, and shows in the numbers: see [Events].First. After 10 s without an
// answer it fails with [ErrNoMaster].
func (c *Client) FollowEvents(ctx context.Context, since uint64, each func(*Events) error) error {
	if _, err := c.connection(ctx); err != nil {
		return err
	}
	w := c.watch(nil)
	w.what = "the events"
	for {
		ev, err := c.eventsAfter(ctx, since, wire.EventsWait)
		switch {
		case err == nil:
			if err := each(ev); err != nil {
				return err
			}
			since = ev.Last
		case !errors.Is(err, ErrLost):
			return err
		default:
			if _, err := w.findMaster(ctx, err); err != nil {
				return err
			}
		}
	}
}

func (c *Client) eventsAfter(ctx context.Context, since uint64, how ...string) (*Events, error) {
	args := append([]string{strconv.FormatUint(since, 10)}, how...)
	reply, err := c.call(ctx, Request{Command: wire.EventsCmd, Args: args}, nil, true)
	if err != nil {
		return nil, err
	}
	ev := new(Events)
	if err := json.Unmarshal(reply.Data, ev); err != nil {
		return nil, fmt.Errorf("cannot read the events: %w", err)
	}
	return ev, nil
}
