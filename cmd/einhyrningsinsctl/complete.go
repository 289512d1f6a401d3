// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"slices"
	"sort"
	"strings"

	"github.com/google/shlex"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// signals are those that one may want to send to workers, by signal(7).
var signals = []string{
	"ABRT", "ALRM", "CHLD", "CONT", "HUP", "INT", "KILL", "QUIT",
	"STOP", "TERM", "TSTP", "TTIN", "TTOU", "USR1", "USR2", "WINCH",
}

// completer is cobra's type of a function that completes arguments.
type completer = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

func completeNothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeFrom completes one argument from a list.
func completeFrom(words ...string) completer {
	return func(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return beginningWith(words, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeSignals completes up to max arguments (below 0: any number) with
// signals, in the case and with the SIG that the person has begun with.
func completeSignals(max int) completer {
	return func(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if max >= 0 && len(args) >= max {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		lower := toComplete != "" && toComplete == strings.ToLower(toComplete)
		var words []string
		for _, sig := range signals {
			if strings.HasPrefix(strings.ToUpper(toComplete), "SI") {
				sig = "SIG" + sig
			}
			if lower {
				sig = strings.ToLower(sig)
			}
			words = append(words, sig)
		}
		return beginningWith(words, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeCommands completes the name of a command.
func completeCommands(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, c := range cmd.Root().Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	sort.Strings(names)
	return completeFrom(names...)(cmd, args, toComplete)
}

func beginningWith(words []string, prefix string) []string {
	var fit []string
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			fit = append(fit, w)
		}
	}
	return fit
}

// shellCompleter completes a line of the interactive shell with the same
// functions that the completion of bash and others calls.
type shellCompleter struct{ s *session }

// Do returns what may follow the word that ends at pos, and that word's length.
func (sc shellCompleter) Do(line []rune, pos int) ([][]rune, int) {
	parts := splitParts(string(line[:pos]))
	words, err := shlex.Split(parts[len(parts)-1])
	if err != nil {
		return nil, 0 // within quotes nothing of ours can follow
	}
	last := ""
	if pos > 0 && len(words) > 0 && !strings.ContainsRune(" \t", line[pos-1]) {
		last, words = words[len(words)-1], words[:len(words)-1]
	}
	var fit [][]rune
	for _, w := range candidates(newShellRoot(sc.s), words, last) {
		if !strings.HasSuffix(w, "=") { // a value follows without a space
			w += " "
		}
		fit = append(fit, []rune(w[len(last):]))
	}
	return fit, len([]rune(last))
}

// candidates are the words that may stand after words and begin with last.
func candidates(root *cobra.Command, words []string, last string) []string {
	var fit []string
	if len(words) == 0 {
		fit, _ = completeCommands(root, nil, last)
		return fit
	}
	for _, cmd := range root.Commands() {
		switch {
		case cmd.Name() != words[0]:
		case strings.HasPrefix(last, "-"):
			fit = flagsOf(cmd, last)
		case cmd.ValidArgsFunction != nil:
			fit, _ = cmd.ValidArgsFunction(cmd, withoutFlags(words[1:]), last)
		}
	}
	return fit
}

// flagsOf are the long options of cmd that begin with last.
func flagsOf(cmd *cobra.Command, last string) []string {
	var names []string
	add := func(f *pflag.Flag) { names = append(names, "--"+f.Name) }
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	sort.Strings(names)
	return beginningWith(slices.Compact(names), last)
}

func withoutFlags(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "-") })
}
