// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newFollow(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "follow [GENERATION]",
		Short: "Watch an upgrade to its end without starting one",
		Long: `Watch the upgrade to GENERATION (the newest unless given) to its end without
starting one. One that has ended is told at once.`,
		Example: `  einhyrningsinsctl follow
  einhyrningsinsctl follow 3`,
		Args:              argCount(0, 1),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, args []string) error {
			generation, err := optionalNumber(cmd, args, 0)
			if err != nil {
				return err
			}
			return s.watch(cmd.Context(), func(c *client.Client, each func(client.Progress)) (client.Progress, error) {
				return c.Follow(cmd.Context(), generation, each)
			})
		},
	}
}
