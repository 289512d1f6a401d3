// SPDX-License-Identifier: GPL-3.0-or-later

package main

import "github.com/spf13/cobra"

func newCompletion(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a completion script for a shell",
		Example: `  einhyrningsinsctl completion bash > /etc/bash_completion.d/einhyrningsinsctl
  einhyrningsinsctl completion fish | source`,
		Args:              argCount(1, 1),
		ValidArgsFunction: completeFrom("bash", "zsh", "fish"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(s.out.out, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(s.out.out)
			case "fish":
				return cmd.Root().GenFishCompletion(s.out.out, true)
			}
			return usagef("cannot complete for %q: it is bash, zsh or fish, as in 'completion bash'", args[0])
		},
	}
}
