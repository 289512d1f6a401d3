// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newDie(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "die [SIG]",
		Short: "Send SIG (the graceful signal) to all workers, and end with them",
		Example: `  einhyrningsinsctl die
  einhyrningsinsctl die TERM`,
		Args:              argCount(0, 1),
		ValidArgsFunction: completeSignals(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sig := ""
			if len(args) == 1 {
				sig = args[0]
			}
			return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Die(cmd.Context(), sig) })
		},
	}
}
