// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newSignal(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "signal SIG…",
		Short: "Send signals to all workers",
		Long: `Send each SIG, with or without "SIG" and in any case, to all workers. It changes
nothing else: a worker that ends of it is replaced.`,
		Example: `  einhyrningsinsctl signal USR1
  einhyrningsinsctl signal hup winch`,
		Args:              argCount(1, -1),
		ValidArgsFunction: completeSignals(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Signal(cmd.Context(), args...) })
		},
	}
}
