// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strconv"

	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newInc(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "inc [N]",
		Short: "Raise the number of workers by N (1)",
		Example: `  einhyrningsinsctl inc
  einhyrningsinsctl inc 4`,
		Args:              argCount(0, 1),
		ValidArgsFunction: completeNothing,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := optionalNumber(cmd, args, 1)
			if err != nil {
				return err
			}
			return s.say(cmd.Context(), func(c *client.Client) (string, error) { return c.Inc(cmd.Context(), n) })
		},
	}
}

// optionalNumber reads the only argument of cmd, a whole number above 0.
func optionalNumber(cmd *cobra.Command, args []string, without int) (int, error) {
	if len(args) == 0 {
		return without, nil
	}
	return number(cmd, args[0])
}

func number(cmd *cobra.Command, arg string) (int, error) {
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 {
		return 0, usagef("cannot run %s: %q is no whole number above 0; try '%s 2'", cmd.Name(), arg, cmd.Name())
	}
	return n, nil
}
