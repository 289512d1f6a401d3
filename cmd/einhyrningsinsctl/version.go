// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newVersion(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Ask the master for its version",
		Long:  `Ask the master for its version. This program's own is shown by --version.`,
		Example: `  einhyrningsinsctl version
  einhyrningsinsctl --version`,
		Args:              argCount(0, 0),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Version(cmd.Context()) })
		},
	}
}
