// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newLouder(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "louder",
		Short: "Have the daemon log more",
		Long:  "Have the daemon log more from now on, as one more -v at its start would have.",
		Example: `  einhyrningsinsctl louder
  einhyrningsinsctl -e 'louder; config'`,
		Args:              argCount(0, 0),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Louder(cmd.Context()) })
		},
	}
}
