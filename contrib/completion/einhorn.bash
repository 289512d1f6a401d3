# bash completion for einhorn
# Made from the list of options in internal/config; a test keeps it true.
# SPDX-License-Identifier: GPL-3.0-or-later

_einhorn() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i=1
    COMPREPLY=()

    # Find the program: the first word that is neither option nor argument.
    while ((i < COMP_CWORD)); do
        case ${COMP_WORDS[i]} in
            --) ((i++)); break ;;
            -b|--bind|-c|--command-name|-d|--socket-path|-e|--pidfile|-f|--lockfile|-l|--backlog|-m|--ack-mode|-n|--number|-p|--preload|-s|--seconds|--drop-env-var|--reexec-as|--nice|--max-unacked|--max-upgrade-additional|-t|--signal-timeout|--with-state-fd)
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
        -b|--bind) return ;;
        -c|--command-name) return ;;
        -d|--socket-path) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        -e|--pidfile) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        -f|--lockfile) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        -l|--backlog) return ;;
        -m|--ack-mode) mapfile -t COMPREPLY < <(compgen -W 'manual 0 1 5' -- "$cur"); return ;;
        -n|--number) return ;;
        -p|--preload) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        -s|--seconds) return ;;
        --drop-env-var) return ;;
        --reexec-as) return ;;
        --nice) return ;;
        --max-unacked) return ;;
        --max-upgrade-additional) return ;;
        -t|--signal-timeout) return ;;
        --with-state-fd) return ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-b --bind -c --command-name -d --socket-path -e --pidfile -f --lockfile -g --command-socket-as-fd -h --help -k --kill-children-on-exit -l --backlog -m --ack-mode -n --number -p --preload -q --quiet -s --seconds -v --verbose --drop-env-var --reexec-as --gc-before-fork --nice --max-unacked --max-upgrade-additional -t --signal-timeout --with-state-fd --upgrade-check --version' -- "$cur")
    fi
}
complete -o bashdefault -F _einhorn einhorn
