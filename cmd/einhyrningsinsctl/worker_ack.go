// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newWorkerAck(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "worker:ack PID",
		Short: "Say for worker PID that it is ready",
		Long: `Say for worker PID that it is ready to serve: the ACK that a worker gives by
itself, for workers that cannot and for trying things out.`,
		Example:           `  einhyrningsinsctl worker:ack 4711`,
		Args:              argCount(1, 1),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, args []string) error {
			pid, err := number(cmd, args[0])
			if err != nil {
				return err
			}
			return s.say(cmd.Context(), func(c *client.Client) (string, error) {
				return "", c.Ack(cmd.Context(), pid)
			})
		},
	}
}
