// SPDX-License-Identifier: GPL-3.0-or-later

package main

import "github.com/spf13/cobra"

func newStatus(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show keeper, sockets, upgrade and workers",
		Example: `  einhyrningsinsctl status
  einhyrningsinsctl --json status | jq '.workers[].pid'`,
		Args:              argCount(0, 0),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.connect(cmd.Context())
			if err != nil {
				return err
			}
			st, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			if s.json {
				return s.out.json(st)
			}
			s.out.status(st)
			return nil
		},
	}
}
