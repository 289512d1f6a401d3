# fish completion for einhorn
# Made from the list of options in internal/config; a test keeps it true.
# SPDX-License-Identifier: GPL-3.0-or-later

function __einhorn_at_options --description 'No program was given yet'
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                return 1
            case -b --bind -c --command-name -d --socket-path -e --pidfile -f --lockfile -l --backlog -m --ack-mode -n --number -p --preload -s --seconds --drop-env-var --reexec-as --nice --max-unacked --max-upgrade-additional -t --signal-timeout --with-state-fd
                set -e words[1]
            case '-*'
            case '*'
                return 1
        end
        set -q words[1]; and set -e words[1]
    end
    return 0
end

complete -c einhorn -f
complete -c einhorn -n __einhorn_at_options -s b -l bind -x -d 'Listen here (repeatable). OPT: r, so_reuseaddr: a restart can bind at once; n, o_nonblock: do not block'
complete -c einhorn -n __einhorn_at_options -s c -l command-name -x -d 'Show this name in ps, and have it in the default paths: TMP/einhorn-NAME.sock, .pid and .lock'
complete -c einhorn -n __einhorn_at_options -s d -l socket-path -r -F -d 'Where to make the control socket'
complete -c einhorn -n __einhorn_at_options -s e -l pidfile -r -F -d 'Write our process id here'
complete -c einhorn -n __einhorn_at_options -s f -l lockfile -r -F -d 'The file that is locked while we run'
complete -c einhorn -n __einhorn_at_options -s g -l command-socket-as-fd -d 'Give each worker an open connection to the control socket: EINHORN_SOCK_FD'
complete -c einhorn -n __einhorn_at_options -s h -l help -d 'Print this text and exit with status 1'
complete -c einhorn -n __einhorn_at_options -s k -l kill-children-on-exit -d 'Have the system send workers USR2 when the keeper dies'
complete -c einhorn -n __einhorn_at_options -s l -l backlog -x -d 'How many connections may wait to be accepted'
complete -c einhorn -n __einhorn_at_options -s m -l ack-mode -x -a 'manual 0 1 5' -d 'A worker is ready once it sends an ACK (manual), or has lived this long'
complete -c einhorn -n __einhorn_at_options -s n -l number -x -d 'How many workers to run'
complete -c einhorn -n __einhorn_at_options -s p -l preload -r -F -d 'Accepted, and does nothing but warn: no Ruby code is loaded here'
complete -c einhorn -n __einhorn_at_options -s q -l quiet -d 'Log less; -v takes it back'
complete -c einhorn -n __einhorn_at_options -s s -l seconds -x -d 'Least time between two starts in the same place; grows with each failure, to 30s at most'
complete -c einhorn -n __einhorn_at_options -s v -l verbose -d 'Log more; -q takes it back'
complete -c einhorn -n __einhorn_at_options -l drop-env-var -x -d 'Keep this variable from the workers of all upgrades (repeatable)'
complete -c einhorn -n __einhorn_at_options -l reexec-as -x -d 'Before an upgrade execute this in place of einhorn, to find out where it goes and with which environment'
complete -c einhorn -n __einhorn_at_options -l gc-before-fork -d 'Accepted, and does nothing but warn: it goes with --preload'
complete -c einhorn -n __einhorn_at_options -l nice -x -d 'Our niceness, and that of workers; RENICE_CMD sets them instead of the system call'
complete -c einhorn -n __einhorn_at_options -l max-unacked -x -d 'How many workers a smooth upgrade starts before they are ready'
complete -c einhorn -n __einhorn_at_options -l max-upgrade-additional -x -d 'How many processes more than --number a smooth upgrade may run; 0 counts as 1'
complete -c einhorn -n __einhorn_at_options -s t -l signal-timeout -x -d 'How long after the graceful signal, or TERM, a worker gets KILL'
complete -c einhorn -n __einhorn_at_options -l with-state-fd -x -d 'Given by ourselves to the command of --reexec-as, which passes it on'
complete -c einhorn -n __einhorn_at_options -l upgrade-check -d 'Exit with status 0'
complete -c einhorn -n __einhorn_at_options -l version -d 'Print the version and exit'
complete -c einhorn -x -a '(__fish_complete_subcommand -b -c -d -e -f -l -m -n -p -s -t --bind --command-name --socket-path --pidfile --lockfile --backlog --ack-mode --number --preload --seconds --drop-env-var --reexec-as --nice --max-unacked --max-upgrade-additional --signal-timeout --with-state-fd)'
