// SPDX-License-Identifier: GPL-3.0-or-later

package main

import "github.com/spf13/cobra"

// newQuit is the command quit, under that name or another.
func newQuit(name string) *cobra.Command {
	return &cobra.Command{
		Use:               name,
		Short:             "Leave the shell (as Ctrl-D does); the daemon goes on",
		Example:           "  " + name,
		Args:              argCount(0, 0),
		ValidArgsFunction: completeNothing,
		RunE:              func(*cobra.Command, []string) error { return errQuit },
	}
}
