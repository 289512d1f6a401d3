// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newDec(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "dec [N]",
		Short: "Lower the number of workers by N (1), never below one",
		Example: `  einhyrningsinsctl dec
  einhyrningsinsctl dec 2`,
		Args:              argCount(0, 1),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := optionalNumber(cmd, args, 1)
			if err != nil {
				return err
			}
			return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Dec(cmd.Context(), n) })
		},
	}
}
