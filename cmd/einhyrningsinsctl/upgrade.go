// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"

	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newUpgrade(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "upgrade [smooth|fleet]",
		Short: "Replace all workers by a new generation, and wait for it",
		Long: `Replace all workers by a new generation, and wait until that is done or given
up. smooth starts a few new workers at a time, fleet all at once; without
either the daemon's --upgrade decides. Ctrl-C ends the waiting only.`,
		Example: `  einhyrningsinsctl upgrade
  einhyrningsinsctl upgrade fleet`,
		Args:              argCount(0, 1),
		ValidArgsFunction: completeFrom(string(client.Smooth), string(client.Fleet)),
		RunE: func(cmd *cobra.Command, args []string) error {
			mode := client.DefaultMode
			if len(args) == 1 {
				if mode = client.Mode(args[0]); mode != client.Smooth && mode != client.Fleet {
					return usagef("cannot upgrade in mode %q: it is smooth or fleet, as in 'upgrade fleet'", args[0])
				}
			}
			return s.watch(cmd.Context(), func(c *client.Client, each func(client.Progress)) (client.Progress, error) {
				return c.Upgrade(cmd.Context(), mode, each)
			})
		},
	}
}

// watch shows an upgrade from beginning to end.
func (s *session) watch(ctx context.Context, call func(*client.Client, func(client.Progress)) (client.Progress, error)) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	w := s.out.watchUpgrade(s.json)
	last, err := call(c, w.step)
	if errors.Is(err, context.Canceled) {
		w.clear()
		s.out.goesOn(s.prefix, last.Generation)
		return &toldError{exitInterrupted}
	}
	w.end(last, err)
	return err
}
