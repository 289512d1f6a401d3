# bash completion for einhyrningsins
# Made from the list of options in internal/config; a test keeps it true.
# SPDX-License-Identifier: GPL-3.0-or-later

_einhyrningsins() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i=1
    COMPREPLY=()

    # Find the program: the first word that is neither option nor argument.
    while ((i < COMP_CWORD)); do
        case ${COMP_WORDS[i]} in
            --) ((i++)); break ;;
            -n|--number|-c|--command-name|--env|--nice|--user|--group|--umask|--rlimit|--oom-score-adj|--chdir|--envdir|--env-file|--drop-env-var|--reexec-as|-b|--bind|--backlog|--ack-mode|--watchdog|--ack-timeout|--upgrade|--max-unacked|--max-upgrade-additional|--upgrade-retries|-r|--retries|--seconds|--graceful-signal|--drain-timeout|--kill-timeout|--signal-timeout|-d|--socket-path|--pidfile|--lockfile|--log-format)
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
        -n|--number) return ;;
        -c|--command-name) return ;;
        --env) mapfile -t COMPREPLY < <(compgen -W 'einhorn systemd server-starter einhorn,systemd,server-starter' -- "$cur"); return ;;
        --nice) return ;;
        --user) return ;;
        --group) return ;;
        --umask) return ;;
        --rlimit) return ;;
        --oom-score-adj) return ;;
        --chdir) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --envdir) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --env-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --drop-env-var) return ;;
        --reexec-as) return ;;
        -b|--bind) return ;;
        --backlog) return ;;
        --ack-mode) mapfile -t COMPREPLY < <(compgen -W 'manual notify fd 0 1 5' -- "$cur"); return ;;
        --watchdog) return ;;
        --ack-timeout) return ;;
        --upgrade) mapfile -t COMPREPLY < <(compgen -W 'smooth fleet' -- "$cur"); return ;;
        --max-unacked) return ;;
        --max-upgrade-additional) return ;;
        --upgrade-retries) mapfile -t COMPREPLY < <(compgen -W '1 3 forever' -- "$cur"); return ;;
        -r|--retries) mapfile -t COMPREPLY < <(compgen -W '1 10 forever' -- "$cur"); return ;;
        --seconds) return ;;
        --graceful-signal) mapfile -t COMPREPLY < <(compgen -W 'USR2 TERM QUIT INT HUP USR1 WINCH' -- "$cur"); return ;;
        --drain-timeout) return ;;
        --kill-timeout) return ;;
        --signal-timeout) return ;;
        -d|--socket-path) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --pidfile) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --lockfile) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur"); return ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-n --number -c --command-name --env --nice --user --group --umask --rlimit --no-new-privs --oom-score-adj --chdir --envdir --env-file --drop-env-var --reexec-as -b --bind -4 --ipv4-only -6 --ipv6-only --backlog -m --manual --ack-mode --watchdog --ack-timeout --upgrade --max-unacked --max-upgrade-additional --upgrade-retries -r --retries --seconds --graceful-signal --drain-timeout --kill-timeout --signal-timeout -k --kill-children-on-exit -d --socket-path --pidfile --lockfile -g --command-socket-as-fd -v --verbose -q --quiet --log-format --syslog --upgrade-check -h --help --version' -- "$cur")
    fi
}
complete -o bashdefault -F _einhyrningsins einhyrningsins
