// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

func newEvents(s *session) *cobra.Command {
	var since uint64
	var follow bool
	cmd := &cobra.Command{
		Use:   "events [--since=N] [--follow]",
		Short: "Show what happened: starts, deaths, upgrades, signals",
		Long: `Show what happened, the oldest first: the last 1,000 events at most. Each has a
number, which only grows as long as the keeper lives.`,
		Example: `  einhyrningsinsctl events
  einhyrningsinsctl events --since 40 --follow
  einhyrningsinsctl --json events | jq 'select(.level == "error")'`,
		Args:              argCount(0, 0),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.connect(cmd.Context())
			if err != nil {
				return err
			}
			view := eventsView{o: s.out, json: s.json, last: since}
			if follow {
				err = c.FollowEvents(cmd.Context(), since, view.show)
				if errors.Is(err, context.Canceled) {
					return &toldError{exitInterrupted}
				}
				return err
			}
			ev, err := c.Events(cmd.Context(), since)
			if err != nil {
				return err
			}
			return view.show(ev)
		},
	}
	cmd.Flags().Uint64Var(&since, "since", 0, "only those after event `N`")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "wait for more, until interrupted")
	return cmd
}
