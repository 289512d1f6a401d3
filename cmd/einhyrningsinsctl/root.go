// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strings"

	"einhyrningsins/client"
	"einhyrningsins/internal/version"

	"github.com/spf13/cobra"
)

const programName = "einhyrningsinsctl"

// newRoot is the command line of the program.
func newRoot(s *session) *cobra.Command {
	var execute []string
	root := &cobra.Command{
		Use:   programName + " [OPTIONS] [-e CMD] [COMMAND [ARG…]]",
		Short: "Ask and command a running einhyrningsins",
		Long: `Ask and command a running einhyrningsins over its control socket. Without
COMMAND and -e: an interactive shell, or one command a line from a stdin that
is not a terminal.

Exit status: 0; 1 the command failed; 2 usage; 3 no master there;
130 interrupted (an upgrade goes on without us).`,
		Example: `  einhyrningsinsctl status
  einhyrningsinsctl -d /run/web.sock upgrade fleet
  einhyrningsinsctl -e 'inc 2; status'`,
		Version: version.Version,
		RunE: func(cmd *cobra.Command, args []string) error {
			s.alwaysJSON = s.json
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			if cmd.Flags().Changed("execute") {
				return s.executeTexts(execute)
			}
			return s.serveStdin()
		},
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if cmd.HasParent() && cmd.Flags().Changed("execute") {
				return usagef("cannot run both -e and %q: give one of them, as in -e '%s; status'", cmd.Name(), cmd.Name())
			}
			return nil
		},
	}
	root.SetVersionTemplate(programName + " {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringArrayVarP(&execute, "execute", "e", nil, "run `CMD`, more of them separated by ;, and exit (repeatable)")
	flags.StringVarP(&s.path, "socket-path", "d", client.DefaultPath, "the control socket's `PATH`")
	root.Flags().Bool("version", false, "print the version of this program")
	addCommon(s, root)
	root.AddCommand(newCompletion(s))
	return root
}

// newShellRoot is the same, without what makes sense once a run only, and with
// the ways out of a shell.
func newShellRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		// A shell's commands stand alone: the name, which cobra wants, is not shown.
		Use:         programName + " COMMAND [ARG…] [; COMMAND [ARG…]]…",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: ""},
		Short:       "The commands of einhyrningsins",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
	}
	addCommon(s, root)
	root.AddCommand(newQuit("quit"), newQuit("exit"))
	return root
}

// addCommon gives root the verbs and the behaviour that both command lines share.
func addCommon(s *session, root *cobra.Command) {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.Args = cobra.ArbitraryArgs // newRoot and newShellRoot look at them
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v; see '%s --help'", err, strings.TrimSpace(s.prefix+nameUnder(cmd)))
	})
	root.SetOut(s.out.out)
	root.SetErr(s.out.err)
	root.SetUsageTemplate(usageTemplate)
	root.PersistentFlags().BoolVar(&s.json, "json", s.json, "answer in JSON, for programs")
	root.PersistentFlags().BoolP("help", "h", false, "print this help")
	root.AddCommand(
		newStatus(s), newUpgrade(s), newFollow(s), newEvents(s), newReload(s),
		newInc(s), newDec(s), newSetWorkers(s),
		newSignal(s), newDie(s),
		newConfig(s), newQuieter(s), newLouder(s),
		newEhlo(s), newVersion(s),
		newWorkerAck(s), newWorkerPing(s),
	)
	root.SetHelpCommand(newHelp(s))
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		cmd.DisableFlagsInUseLine = true
		if s.prefix == "" {
			cmd.Example = strings.ReplaceAll(cmd.Example, programName+" ", "")
		}
	}
	root.DisableFlagsInUseLine = true
}

// nameUnder is what a person types after the program's name to get cmd.
func nameUnder(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return ""
	}
	return cmd.Name()
}

func unknownCommand(root *cobra.Command, name string) error {
	root.SuggestionsMinimumDistance = 2
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return usagef("unknown command %q; did you mean %s?", name, strings.Join(near, " or "))
	}
	return usagef("unknown command %q; 'help' lists the commands", name)
}

// argCount makes the check that a command has min to max arguments (max < 0:
// any number).
func argCount(min, max int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		var wrong string
		switch {
		case len(args) < min:
			wrong = "too few arguments"
		case max >= 0 && len(args) > max:
			wrong = "too many arguments"
		default:
			return nil
		}
		return usagef("cannot run %s: %s; it is used as: %s", cmd.Name(), wrong, strings.TrimSpace(cmd.Use))
	}
}

const usageTemplate = `Usage:
  {{trim .UseLine}}
{{- if .HasExample}}

Examples:
{{.Example}}
{{- end}}
{{- if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{- end}}
{{- if or .HasAvailableLocalFlags .HasAvailableInheritedFlags}}

Options:
{{- if .HasAvailableLocalFlags}}
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{- end}}
{{- if .HasAvailableInheritedFlags}}
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
{{- end}}
{{- end}}
`
