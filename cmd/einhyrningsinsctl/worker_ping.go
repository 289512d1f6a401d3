// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newWorkerPing(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "worker:ping PID [ID]",
		Short: "Give a sign of life for worker PID, at work on request ID",
		Example: `  einhyrningsinsctl worker:ping 4711
  einhyrningsinsctl worker:ping 4711 req-17`,
		Args:              argCount(1, 2),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, args []string) error {
			pid, err := number(cmd, args[0])
			if err != nil {
				return err
			}
			id := ""
			if len(args) == 2 {
				id = args[1]
			}
			return s.say(cmd.Context(), func(c *client.Client) (string, error) {
				return "", c.Ping(cmd.Context(), pid, id)
			})
		},
	}
}
