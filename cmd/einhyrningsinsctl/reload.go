// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newReload(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Put a new master from the binary on disk in place of the old",
		Long: `Put a new master, from the binary that is on disk by now, in place of the old.
Keeper, workers, sockets, upgrades under way and those who wait for them stay as
they are. When the new one cannot take over, the old stays, and the exit status
is 1. Only a restart of the daemon renews the keeper.`,
		Example: `  einhyrningsinsctl reload
  einhyrningsinsctl -e 'reload; version'`,
		Args:              argCount(0, 0),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Reload(cmd.Context()) })
		},
	}
}
