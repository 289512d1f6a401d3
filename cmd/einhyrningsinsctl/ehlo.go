// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newEhlo(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "ehlo",
		Short:             "Greet the master, to see whether it answers",
		Example:           `  einhyrningsinsctl ehlo`,
		Args:              argCount(0, 0),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Ehlo(cmd.Context()) })
		},
	}
}
