// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newQuieter(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "quieter",
		Short: "Have the daemon log less",
		Long:  "Have the daemon log less from now on, as one more -q at its start would have.",
		Example: `  einhyrningsinsctl quieter
  einhyrningsinsctl -e 'quieter; config'`,
		Args:              argCount(0, 0),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Quieter(cmd.Context()) })
		},
	}
}
