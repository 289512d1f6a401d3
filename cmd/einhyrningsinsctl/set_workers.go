// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newSetWorkers(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "set_workers N",
		Short:             "Set the number of workers",
		Example:           `  einhyrningsinsctl set_workers 8`,
		Args:              argCount(1, 1),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := number(cmd, args[0])
			if err != nil {
				return err
			}
			return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.SetWorkers(cmd.Context(), n) })
		},
	}
}
