// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newHelp(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "List the commands, or explain one",
		Long: `List the commands, or explain one. This needs no master; with --json it asks
the master what it knows.`,
		Example: `  einhyrningsinsctl help
  einhyrningsinsctl help upgrade`,
		Args:              argCount(0, 1),
		ValidArgsFunction: completeCommands,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case s.json:
				return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Help(cmd.Context()) })
			case len(args) == 0:
				return cmd.Root().Help()
			}
			about, _, err := cmd.Root().Find(args)
			if err != nil || about == cmd.Root() {
				return unknownCommand(cmd.Root(), args[0])
			}
			return about.Help()
		},
	}
}
