// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"

	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newUpgrade(s *session) *cobra.Command {
	var reload bool
	cmd := &cobra.Command{
		Use:   "upgrade [--reload] [smooth|fleet]",
		Short: "Replace all workers by a new generation, and wait for it",
		Long: `Replace all workers by a new generation, and wait until that is done or given
up. smooth starts a few new workers at a time, fleet all at once; without
either the daemon's --upgrade decides. Ctrl-C ends the waiting only.

With --reload the master is renewed first (see reload). If that fails, there is
no upgrade, and the exit status is 1.`,
		Example: `  einhyrningsinsctl upgrade
  einhyrningsinsctl upgrade fleet
  einhyrningsinsctl upgrade --reload`,
		Args:              argCount(0, 1),
		ValidArgsFunction: completeFrom(string(client.Smooth), string(client.Fleet)),
		RunE: func(cmd *cobra.Command, args []string) error {
			mode := client.DefaultMode
			if len(args) == 1 {
				if mode = client.Mode(args[0]); mode != client.Smooth && mode != client.Fleet {
					return usagef("cannot upgrade in mode %q: it is smooth or fleet, as in 'upgrade fleet'", args[0])
				}
			}
			if reload {
				if err := s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Reload(cmd.Context()) }); err != nil {
					return err
				}
			}
			return s.watch(cmd.Context(), func(c *client.Client, each func(client.Progress)) (client.Progress, error) {
				return c.Upgrade(cmd.Context(), mode, each)
			})
		},
	}
	cmd.Flags().BoolVar(&reload, "reload", false, "renew the master first, from the binary on disk")
	return cmd
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
