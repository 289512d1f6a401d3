#compdef einhorn
# Made from the list of options in internal/config; a test keeps it true.
# SPDX-License-Identifier: GPL-3.0-or-later

_arguments -s -S : \
    '*'{-b+,--bind=}'[Listen here (repeatable). OPT\: r, so_reuseaddr\: a restart can bind at once; n, o_nonblock\: do not block]:ADDR\:PORT\[,OPT...\]: ' \
    '(-c --command-name)'{-c+,--command-name=}'[Show this name in ps, and have it in the default paths\: TMP/einhorn-NAME.sock, .pid and .lock]:NAME: ' \
    '(-d --socket-path)'{-d+,--socket-path=}'[Where to make the control socket]:PATH:_files' \
    '(-e --pidfile)'{-e+,--pidfile=}'[Write our process id here]:PATH:_files' \
    '(-f --lockfile)'{-f+,--lockfile=}'[The file that is locked while we run]:PATH:_files' \
    '(-g --command-socket-as-fd)'{-g,--command-socket-as-fd}'[Give each worker an open connection to the control socket\: EINHORN_SOCK_FD]' \
    '(-h --help)'{-h,--help}'[Print this text and exit with status 1]' \
    '(-k --kill-children-on-exit)'{-k,--kill-children-on-exit}'[Have the system send workers USR2 when the keeper dies]' \
    '(-l --backlog)'{-l+,--backlog=}'[How many connections may wait to be accepted]:COUNT: ' \
    '(-m --ack-mode)'{-m+,--ack-mode=}'[A worker is ready once it sends an ACK (manual), or has lived this long]:manual|SECONDS:(manual 0 1 5)' \
    '(-n --number)'{-n+,--number=}'[How many workers to run]:COUNT: ' \
    '(-p --preload)'{-p+,--preload=}'[Accepted, and does nothing but warn\: no Ruby code is loaded here]:PATH:_files' \
    '(-q --quiet)'{-q,--quiet}'[Log less; -v takes it back]' \
    '(-s --seconds)'{-s+,--seconds=}'[Least time between two starts in the same place; grows with each failure, to 30s at most]:SECONDS: ' \
    '(-v --verbose)'{-v,--verbose}'[Log more; -q takes it back]' \
    '*'--drop-env-var='[Keep this variable from the workers of all upgrades (repeatable)]:VAR: ' \
    '(--reexec-as)'--reexec-as='[Before an upgrade execute this in place of einhorn, to find out where it goes and with which environment]:CMDLINE: ' \
    '(--gc-before-fork)'--gc-before-fork'[Accepted, and does nothing but warn\: it goes with --preload]' \
    '(--nice)'--nice='[Our niceness, and that of workers; RENICE_CMD sets them instead of the system call]:MASTER\[\:WORKER\[\:RENICE_CMD\]\]: ' \
    '(--max-unacked)'--max-unacked='[How many workers a smooth upgrade starts before they are ready]:COUNT: ' \
    '(--max-upgrade-additional)'--max-upgrade-additional='[How many processes more than --number a smooth upgrade may run; 0 counts as 1]:COUNT: ' \
    '(-t --signal-timeout)'{-t+,--signal-timeout=}'[How long after the graceful signal, or TERM, a worker gets KILL]:SECONDS: ' \
    '(--with-state-fd)'--with-state-fd='[Given by ourselves to the command of --reexec-as, which passes it on]:FD: ' \
    '(--upgrade-check)'--upgrade-check'[Exit with status 0]' \
    '(--version)'--version'[Print the version and exit]' \
    '(-):program:_command_names -e' \
    '*::argument of the program:_normal'
