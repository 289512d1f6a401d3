// SPDX-License-Identifier: MIT

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"einhyrningsins/internal/wire"
)

// Mode is the manner of an upgrade.
type Mode string

// The modes. DefaultMode leaves it to the daemon's --upgrade.
const (
	DefaultMode Mode = ""
	Smooth      Mode = "smooth" // a few new workers at a time
	Fleet       Mode = "fleet"  // all new workers at once
)

// EventReconnected is the Event of a [Progress] that the client itself makes:
// the master died, and its successor was found.
const EventReconnected = "reconnected"

// Progress is one step of an upgrade. Message is the master's text for people.
type Progress struct {
	wire.Progress
	Message string `json:"message,omitempty"`
}

// patience is how long Upgrade and Follow look for a master that answers
// before they give up. A keeper replaces a master in milliseconds, and at the
// slowest every 2 s.
const patience = 10 * time.Second

// Upgrade starts a new generation of workers and waits until it has replaced
// the old or was given up. progress, unless nil, is called for each step in
// this goroutine. The outcome is the last step; when it is not done, the error
// is an [*Error] with the code Aborted, LookFailed, SpawnFailed, Superseded or
// Stopping.
//
// The death of a master does not end it: the client connects again and follows
// the same generation. When the connection broke before the generation was
// known, a newer one than before the request is taken for it, and without a
// newer one it asks again. After 10 s without an answer it fails with
// [ErrNoMaster]. When ctx ends the watching ends, not the upgrade.
func (c *Client) Upgrade(ctx context.Context, mode Mode, progress func(Progress)) (Progress, error) {
	before, err := c.Status(ctx)
	if err != nil {
		return Progress{}, err
	}
	req := Request{Command: wire.Upgrade}
	if mode != DefaultMode {
		req.Args = []string{string(mode)}
	}
	w := c.watch(progress)
	for {
		last, err := w.run(ctx, req)
		if !errors.Is(err, ErrLost) {
			return last, err
		}
		st, err := w.findMaster(ctx, err)
		if err != nil {
			return w.last, err
		}
		if w.last.Generation == 0 && st.Generation > before.Generation {
			w.last = Progress{Progress: wire.Progress{
				Generation: st.Generation,
				State:      st.Upgrade.State, Ready: st.Upgrade.Ready, Number: st.Upgrade.Number,
			}}
		}
		if w.last.Generation != 0 {
			w.reconnected()
			return w.follow(ctx)
		}
	}
}

// Follow watches the upgrade to generation (0: the newest) to its end without
// starting one. One that has ended answers at once. All else is as with
// [Client.Upgrade].
func (c *Client) Follow(ctx context.Context, generation int, progress func(Progress)) (Progress, error) {
	if _, err := c.connection(ctx); err != nil {
		return Progress{}, err
	}
	w := c.watch(progress)
	w.last.Generation = generation
	return w.follow(ctx)
}

// watch is one upgrade being watched, over as many connections as it takes.
type watch struct {
	c        *Client
	progress func(Progress)
	what     string   // for people
	keeper   int      // its pid; another keeper counts generations and events of its own
	last     Progress // the newest step; its Generation is 0 until known
}

func (c *Client) watch(progress func(Progress)) *watch {
	if progress == nil {
		progress = func(Progress) {}
	}
	return &watch{c: c, progress: progress, what: "the upgrade", keeper: c.serverPID()}
}

// run makes one request and takes in the steps that it streams.
func (w *watch) run(ctx context.Context, req Request) (Progress, error) {
	reply, err := w.c.call(ctx, req, func(r Reply) {
		if p, err := decodeProgress(r); err == nil {
			w.last = p
			w.progress(p)
		}
	}, false)
	var refused *Error
	if err != nil && !errors.As(err, &refused) {
		return w.last, err
	}
	last, decodeErr := decodeProgress(reply)
	switch {
	case decodeErr != nil && err == nil:
		return w.last, decodeErr
	case decodeErr == nil && len(reply.Data) > 0:
		w.last = last
	default: // a refusal may come without an account of where it stood
		w.last = outcomeOf(w.last, refused)
		w.last.Message = reply.Message
	}
	return w.last, err
}

// outcomeOf makes an outcome of the last step before it.
func outcomeOf(p Progress, refused *Error) Progress {
	p.Event, p.PID, p.Index = "", 0, 0
	switch {
	case p.Generation == 0:
	case refused == nil:
		p.State = wire.UpgradeDone
	case refused.Code == Superseded:
		p.State = wire.UpgradeSuperseded
	case refused.Code == Aborted, refused.Code == SpawnFailed, refused.Code == LookFailed:
		p.State = wire.UpgradeAborted
	}
	return p
}

func decodeProgress(r Reply) (Progress, error) {
	p := Progress{Message: r.Message}
	if len(r.Data) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(r.Data, &p.Progress); err != nil {
		return p, fmt.Errorf("cannot read the progress of the upgrade: %w", err)
	}
	return p, nil
}

func (w *watch) follow(ctx context.Context) (Progress, error) {
	for {
		req := Request{Command: wire.Follow}
		if w.last.Generation != 0 {
			req.Args = []string{strconv.Itoa(w.last.Generation)}
		}
		last, err := w.run(ctx, req)
		if !errors.Is(err, ErrLost) {
			return last, err
		}
		if _, err := w.findMaster(ctx, err); err != nil {
			return w.last, err
		}
		w.reconnected()
	}
}

func (w *watch) reconnected() {
	p := w.last
	p.Event, p.PID, p.Index = EventReconnected, 0, 0
	p.Message = "the master died; connected to its successor"
	if p.Generation != 0 {
		p.Message += fmt.Sprintf(" and following generation %d", p.Generation)
	}
	w.progress(p)
}

// findMaster waits for a master that answers, since only an answer proves
// one: the keeper's listener takes connections without it.
func (w *watch) findMaster(ctx context.Context, why error) (*Status, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		st, err := w.c.Status(limited)
		if err == nil {
			return st, w.sameKeeper()
		}
		if !errors.Is(err, ErrLost) && !errors.Is(err, ErrNoMaster) && limited.Err() == nil {
			return nil, err
		}
		if limited.Err() == nil {
			why = err
			if sleep(limited, pause) == nil {
				continue
			}
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("cannot wait for a master: %w", ctx.Err())
		}
		return nil, fmt.Errorf("cannot follow %s: %w: no answer at %s for %v (%v)", w.what, ErrNoMaster, w.c.path, patience, why)
	}
}

// sameKeeper refuses to take another keeper's generations for those of the one
// we were asked to watch.
func (w *watch) sameKeeper() error {
	now := w.c.serverPID()
	if w.keeper == 0 || now == 0 || now == w.keeper {
		return nil
	}
	return fmt.Errorf("cannot follow %s: %w: keeper %d is gone, %d is in its place", w.what, ErrLost, w.keeper, now)
}
