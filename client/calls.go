// SPDX-License-Identifier: MIT

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"einhyrningsins/internal/wire"
)

// say makes a call whose answer is a text for people.
func (c *Client) say(ctx context.Context, repeatable bool, req Request) (string, error) {
	reply, err := c.call(ctx, req, nil, repeatable)
	return reply.Message, err
}

// Ehlo greets the master and returns its greeting.
func (c *Client) Ehlo(ctx context.Context) (string, error) {
	return c.say(ctx, true, Request{Command: wire.Ehlo})
}

// Help returns the master's list of its commands, as a text for people.
func (c *Client) Help(ctx context.Context) (string, error) {
	return c.say(ctx, true, Request{Command: wire.Help})
}

// Version returns the master's name and version, as a text for people.
func (c *Client) Version(ctx context.Context) (string, error) {
	return c.say(ctx, true, Request{Command: wire.Version})
}

// Status returns all there is to know about keeper, workers and upgrade.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	reply, err := c.call(ctx, Request{Command: wire.StatusCmd}, nil, true)
	if err != nil {
		return nil, err
	}
	st := new(Status)
	if err := json.Unmarshal(reply.Data, st); err != nil {
		return nil, fmt.Errorf("cannot read status: %w", err)
	}
	return st, nil
}

// Inc raises the wanted number of workers by n, which is at least 1.
func (c *Client) Inc(ctx context.Context, n int) (string, error) {
	return c.say(ctx, false, Request{Command: wire.Inc, Args: []string{strconv.Itoa(n)}})
}

// Dec lowers the wanted number of workers by n, which is at least 1; below one
// worker it is refused.
func (c *Client) Dec(ctx context.Context, n int) (string, error) {
	return c.say(ctx, false, Request{Command: wire.Dec, Args: []string{strconv.Itoa(n)}})
}

// SetWorkers sets the wanted number of workers.
func (c *Client) SetWorkers(ctx context.Context, n int) (string, error) {
	return c.say(ctx, true, Request{Command: wire.SetWorkers, Args: []string{strconv.Itoa(n)}})
}

// Signal sends signals, by name with or without SIG, to all workers in turn.
// It changes no worker's state.
func (c *Client) Signal(ctx context.Context, sigs ...string) (string, error) {
	return c.say(ctx, false, Request{Command: wire.Signal, Args: sigs})
}

// Die sends sig (a name; "" for the graceful signal) to all workers and ends
// the whole when they have ended.
func (c *Client) Die(ctx context.Context, sig string) (string, error) {
	req := Request{Command: wire.Die}
	if sig != "" {
		req.Args = []string{sig}
	}
	return c.say(ctx, false, req)
}

// Reload has the keeper start a new master from the binary on disk and waits
// until that one has taken over, which it does with this very connection, with
// workers, sockets and upgrades as they are. A binary that cannot take over is
// an [*Error] with the code ReloadFailed; the old master stays. It is not
// repeated when the connection breaks before the answer: [Client.Status] tells
// then who answers.
func (c *Client) Reload(ctx context.Context) (string, error) {
	return c.say(ctx, false, Request{Command: wire.Reload})
}

// Quieter has the master log less, as if started with one more -q.
func (c *Client) Quieter(ctx context.Context) (string, error) {
	return c.say(ctx, false, Request{Command: wire.Quieter})
}

// Louder has the master log more, as if started with one more -v.
func (c *Client) Louder(ctx context.Context) (string, error) {
	return c.say(ctx, false, Request{Command: wire.Louder})
}

// Ack tells the master that the worker pid (0: ourselves) is ready to serve.
func (c *Client) Ack(ctx context.Context, pid int) error {
	_, err := c.say(ctx, true, Request{Command: wire.WorkerAck, PID: pid})
	return err
}

// Ping is a sign of life of the worker pid (0: ourselves). requestID, of at most
// 256 bytes, says what it is at; status shows it.
func (c *Client) Ping(ctx context.Context, pid int, requestID string) error {
	_, err := c.say(ctx, true, Request{Command: wire.WorkerPing, PID: pid, RequestID: requestID})
	return err
}
