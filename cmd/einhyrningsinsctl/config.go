// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

func newConfig(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "config [KEY[=VALUE]…]",
		Short: "Show the daemon's settings, or change some while it runs",
		Long: `Show the settings of the daemon, all or those of each KEY, or give each KEY its
VALUE from now on. A KEY is the name of a long option of the daemon with _ for
-. Those that only a restart can change are refused, and the exit status is 1;
the others of the same command are changed.`,
		Example: `  einhyrningsinsctl config
  einhyrningsinsctl config number=8 max_unacked=2
  einhyrningsinsctl config drain_timeout`,
		Args:              argCount(0, -1),
		ValidArgsFunction: s.completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			setting := len(args) > 0 && strings.Contains(args[0], "=")
			for _, a := range args {
				if key, _, ok := strings.Cut(a, "="); ok != setting || key == "" {
					return usagef("cannot run config: %q beside %q; give keys to see, or KEY=VALUE to change, as in 'config number=8'", a, args[0])
				}
			}
			c, err := s.connect(cmd.Context())
			if err != nil {
				return err
			}
			if setting {
				return s.change(cmd.Context(), c, args)
			}
			settings, err := c.Config(cmd.Context())
			if err != nil {
				return err
			}
			if settings.Settings, err = choose(settings.Settings, args); err != nil {
				return err
			}
			if s.json {
				return s.out.json(settings)
			}
			s.out.settings(settings.Settings)
			return nil
		},
	}
}

// choose returns the settings of keys, or all when there are none.
func choose(all []client.Setting, keys []string) ([]client.Setting, error) {
	if len(keys) == 0 {
		return all, nil
	}
	var chosen []client.Setting
	for _, key := range keys {
		i := slices.IndexFunc(all, func(st client.Setting) bool { return st.Key == strings.ReplaceAll(key, "-", "_") })
		if i < 0 {
			return nil, usagef("cannot show %q: there is no such setting; 'config' lists them", key)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// change sets values. What was refused is a failure even if the rest was not.
func (s *session) change(ctx context.Context, c *client.Client, values []string) error {
	settings, err := c.SetConfig(ctx, values...)
	if settings == nil {
		if s.json {
			s.out.replyJSON("", err)
		}
		return err
	}
	if s.json {
		s.out.json(settings)
	} else {
		s.out.changes(settings.Changed)
	}
	if len(settings.Refused) == 0 {
		return err
	}
	for _, r := range settings.Refused {
		s.out.refusal(s.prefix, r)
	}
	return &toldError{exitFailed}
}

// completePatience is how long completion waits for the master to name its
// settings; whoever presses Tab waits no longer.
const completePatience = time.Second

// completeKeys completes the keys that can be changed, as the master has them,
// and after = the value that stands.
func (s *session) completeKeys(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	ctx, cancel := context.WithTimeout(context.Background(), completePatience)
	defer cancel()
	c, err := client.Dial(ctx, s.path)
	if err != nil {
		return nil, directive
	}
	defer c.Close()
	settings, err := c.Config(ctx)
	if err != nil {
		return nil, directive
	}
	var words []string
	for _, st := range settings.Settings {
		taken := slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, st.Key+"=") })
		switch {
		case !st.Changeable || taken:
		case strings.HasPrefix(toComplete, st.Key+"="):
			words = append(words, st.Key+"="+st.Value)
		default:
			words = append(words, st.Key+"=")
		}
	}
	return beginningWith(words, toComplete), directive
}
