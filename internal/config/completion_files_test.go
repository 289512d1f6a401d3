// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"fmt"
	"strings"
)

// Shells are the shells that [Completion] knows.
var Shells = []string{"bash", "zsh", "fish"}

// Programs are the names by which the daemon can be called, each with a command
// line of its own.
var Programs = []string{own.program, einhorn.program}

// Completion returns a script that teaches the shell the options of the daemon
// called program, and after them the commands on PATH. The files in
// contrib/completion are made by it; a test says when they are out of date.
func Completion(program, shell string) (string, error) {
	l := own
	if program == einhorn.program {
		l = einhorn
	}
	switch shell {
	case "bash":
		return l.bashCompletion(), nil
	case "zsh":
		return l.zshCompletion(), nil
	case "fish":
		return l.fishCompletion(), nil
	}
	return "", usagef("cannot make completion for %s: write one of %s", show(shell), strings.Join(Shells, ", "))
}

const completionNote = "# Made from the list of options in internal/config; a test keeps it true.\n" +
	"# SPDX-License-Identifier: GPL-3.0-or-later\n"

// dashed returns the option's names with their dashes.
func (o Option) dashed() []string {
	if o.Short == "" {
		return []string{"--" + o.Name}
	}
	return []string{"-" + o.Short, "--" + o.Name}
}

// withArg returns the dashed names of all options that take an argument.
func (l dialect) withArg() []string {
	var names []string
	for _, o := range l.options() {
		if o.Arg != "" {
			names = append(names, o.dashed()...)
		}
	}
	return names
}

// Bash cuts words at ":" and "=" too, so that a value may be several of them:
// what is between two words of these stays together.
const bashHead = `
_PROGRAM() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i=1
    COMPREPLY=()

    # Find the program: the first word that is neither option nor argument.
    while ((i < COMP_CWORD)); do
        case ${COMP_WORDS[i]} in
            --) ((i++)); break ;;
            %s)
                ((i++))
                [[ ${COMP_WORDS[i]} == "=" ]] && ((i++))
                [[ ${COMP_WORDS[i]} == [:=]* ]] && ((i++))
                while ((i + 1 < COMP_CWORD)) && [[ ${COMP_WORDS[i+1]} == [:=]* ]]; do
                    ((i += 2))
                done
                ((i++)) ;;
            -*) ((i++)) ;;
            *) break ;;
        esac
    done
    if ((i < COMP_CWORD)) || [[ $i -eq $COMP_CWORD && $cur != -* ]] || [[ $prev == -- ]]; then
        if declare -F _command_offset >/dev/null; then
            _command_offset "$i"
        elif ((i == COMP_CWORD)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$cur")
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        return
    fi

    # The argument of an option: --upgrade fleet, or --upgrade=fleet.
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    case $prev in
`

const bashTail = `    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '%s' -- "$cur")
    fi
}
complete -o bashdefault -F _PROGRAM PROGRAM
`

func (l dialect) bashCompletion() string {
	var b strings.Builder
	b.WriteString("# bash completion for PROGRAM\n" + completionNote)
	fmt.Fprintf(&b, bashHead, strings.Join(l.withArg(), "|"))
	var names []string
	for _, o := range l.options() {
		names = append(names, o.dashed()...)
		if o.Arg == "" {
			continue
		}
		reply := "return"
		switch {
		case o.files:
			reply = `mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return`
		case o.words != nil:
			reply = fmt.Sprintf(`mapfile -t COMPREPLY < <(compgen -W '%s' -- "$cur"); return`, strings.Join(o.words, " "))
		}
		fmt.Fprintf(&b, "        %s) %s ;;\n", strings.Join(o.dashed(), "|"), reply)
	}
	fmt.Fprintf(&b, bashTail, strings.Join(names, " "))
	return l.named(b.String())
}

func (l dialect) zshCompletion() string {
	var b strings.Builder
	b.WriteString("#compdef PROGRAM\n" + completionNote + "\n_arguments -s -S : \\\n")
	for _, o := range l.options() {
		// What is given once is not offered again, in neither of its names.
		prefix, names := "'("+strings.Join(o.dashed(), " ")+")'", ""
		if o.Repeat {
			prefix = "'*'"
		}
		long := "--" + o.Name
		short := "-" + o.Short
		action := ""
		if o.Arg != "" {
			long += "="
			short += "+"
			action = ":" + zshEscape(o.Arg) + ":" + zshAction(o)
		}
		if names = long; o.Short != "" {
			names = "{" + short + "," + long + "}"
		}
		fmt.Fprintf(&b, "    %s%s'[%s]%s' \\\n", prefix, names, zshEscape(o.Help), action)
	}
	b.WriteString("    '(-):program:_command_names -e' \\\n    '*::argument of the program:_normal'\n")
	return l.named(b.String())
}

func zshAction(o Option) string {
	switch {
	case o.files:
		return "_files"
	case o.words != nil:
		return "(" + strings.Join(o.words, " ") + ")"
	}
	return " "
}

var zshQuoter = strings.NewReplacer(`'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`, `\`, `\\`)

func zshEscape(s string) string { return zshQuoter.Replace(s) }

const fishHead = `
function __PROGRAM_at_options --description 'No program was given yet'
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                return 1
            case %s
                set -e words[1]
            case '-*'
            case '*'
                return 1
        end
        set -q words[1]; and set -e words[1]
    end
    return 0
end

complete -c PROGRAM -f
`

func (l dialect) fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion for PROGRAM\n" + completionNote)
	fmt.Fprintf(&b, fishHead, strings.Join(l.withArg(), " "))
	for _, o := range l.options() {
		b.WriteString("complete -c PROGRAM -n __PROGRAM_at_options")
		if o.Short != "" {
			b.WriteString(" -s " + o.Short)
		}
		b.WriteString(" -l " + o.Name)
		switch {
		case o.files:
			b.WriteString(" -r -F")
		case o.words != nil:
			b.WriteString(" -x -a '" + strings.Join(o.words, " ") + "'")
		case o.Arg != "":
			b.WriteString(" -x")
		}
		b.WriteString(" -d '" + strings.ReplaceAll(o.Help, "'", `\'`) + "'\n")
	}
	// A short option comes first: the function takes a long one for its own.
	b.WriteString("complete -c PROGRAM -x -a '(__fish_complete_subcommand " + strings.Join(shortFirst(l.withArg()), " ") + ")'\n")
	return l.named(b.String())
}

// named puts our name in.
func (l dialect) named(script string) string { return strings.ReplaceAll(script, "PROGRAM", l.program) }

// shortFirst puts the short names before the long ones.
func shortFirst(names []string) []string {
	var short, long []string
	for _, name := range names {
		if strings.HasPrefix(name, "--") {
			long = append(long, name)
		} else {
			short = append(short, name)
		}
	}
	return append(short, long...)
}
