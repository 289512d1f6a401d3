#compdef einhyrningsins
# Made from the list of options in internal/config; a test keeps it true.
# SPDX-License-Identifier: GPL-3.0-or-later

_arguments -s -S : \
    '(-n --number)'{-n+,--number=}'[How many workers to run, from 1 to 10000]:COUNT: ' \
    '(-c --command-name)'{-c+,--command-name=}'[Show this name in ps, for the keeper and its masters]:NAME: ' \
    '(--env)'--env='[Whose variables workers find\: EINHORN_FD_0, LISTEN_FDS, SERVER_STARTER_PORT and their like; where the program has {fd\:...} the default is without systemd]:DIALECT\[,DIALECT...\]:(einhorn systemd server-starter einhorn,systemd,server-starter)' \
    '(--nice)'--nice='[Niceness of keeper and masters, and of workers, from -20 to 19; RENICE_CMD sets them instead of the system call]:MASTER\[\:WORKER\[\:RENICE_CMD\]\]: ' \
    '(--user)'--user='[Run workers as this user (name or number), with its groups; the sockets are bound before]:USER: ' \
    '(--group)'--group='[Run workers as this group (name or number)]:GROUP: ' \
    '(--umask)'--umask='[Permission bits removed from files that workers create, in octal digits]:MASK: ' \
    '*'--rlimit='[Set one of the limits of workers, as prlimit names them; infinity is none (repeatable)]:NAME=SOFT\[\:HARD\]: ' \
    '(--no-new-privs)'--no-new-privs'[Let no program that workers execute gain privileges, set-user-ID ones included]' \
    '(--oom-score-adj)'--oom-score-adj='[How readily the kernel ends workers when memory is short, from -1000 to 1000]:NUMBER: ' \
    '(--chdir)'--chdir='[Where workers run. Symbolic links are followed again for each generation]:DIR:_files' \
    '*'--envdir='[Read variables from this directory, a file for each (repeatable)]:DIR:_files' \
    '*'--env-file='[Read variables from this file, a line for each; with -, it may be missing (repeatable)]:\[-\]FILE:_files' \
    '*'--drop-env-var='[Keep this variable from the workers (repeatable)]:VAR: ' \
    '(--reexec-as)'--reexec-as='[Look through this command, which ends by executing its arguments\: the directory and environment that it leaves count for the new generation]:CMDLINE: ' \
    '*'{-b+,--bind=}'[A socket for the workers (repeatable). WHERE\: ADDR\:PORT, udp\:ADDR\:PORT, unix\:PATH, unix\:@NAME, fd\:N (was left open for us), systemd\[\:NAME\] (its sockets). ADDR\: address, \[IPv6 address\], name, or nothing for all. PORT 0\: any free one. OPT\: r, so_reuseaddr\: a restart can bind at once; n, o_nonblock\: do not block; reuseport; v6only; backlog=N; defer\[=SECONDS\]\: accept only what has sent something; name=NAME; and of a path mode=0660, user=USER, group=GROUP]:WHERE\[,OPT...\]: ' \
    '(-4 --ipv4-only)'{-4,--ipv4-only}'[Accept IPv4 connections only]' \
    '(-6 --ipv6-only)'{-6,--ipv6-only}'[Accept IPv6 connections only]' \
    '(--backlog)'--backlog='[How many connections may wait to be accepted]:COUNT: ' \
    '(-m --manual)'{-m,--manual}'[The same as --ack-mode manual]' \
    '(--ack-mode)'--ack-mode='[A worker is ready once it sends an ACK (manual), or it sends READY=1 to NOTIFY_SOCKET, as under systemd (notify), or it writes a newline to the descriptor READY_FD, as under s6 (fd), or a command ends with status 0 (exec), or it accepts connections on a port of its own (tcp), or it answers a GET there with a status from 200 to 399 (http), or it has lived this long]:manual|notify|fd|exec\:CMD|tcp\:ADDR|http\://ADDR|SECONDS:(manual notify fd 0 1 5)' \
    '(--watchdog)'--watchdog='[Replace a ready worker that says nothing for this long; with --ack-mode notify]:DURATION: ' \
    '(--ack-timeout)'--ack-timeout='[How long an ACK may take in manual mode]:DURATION: ' \
    '(--upgrade)'--upgrade='[Replace workers bit by bit, or all at once when all new ones are ready]:smooth|fleet:(smooth fleet)' \
    '(--max-unacked)'--max-unacked='[How many workers a smooth upgrade starts before they are ready]:COUNT: ' \
    '(--max-upgrade-additional)'--max-upgrade-additional='[How many processes more than --number a smooth upgrade may run, draining ones included]:COUNT: ' \
    '(--upgrade-retries)'--upgrade-retries='[After how many failed starts an upgrade is given up; forever counts as 10]:COUNT|forever:(1 3 forever)' \
    '(-r --retries)'{-r+,--retries=}'[How many starts may fail in a row before giving up]:COUNT|forever:(1 10 forever)' \
    '(--seconds)'--seconds='[Least time between two starts in the same place; grows with each failure, to 30s at most]:DURATION: ' \
    '(--graceful-signal)'--graceful-signal='[What asks a worker to finish its connections and end]:SIGNAL:(USR2 TERM QUIT INT HUP USR1 WINCH)' \
    '(--drain-timeout)'--drain-timeout='[How long it may take for that before it gets TERM]:DURATION: ' \
    '(--kill-timeout)'--kill-timeout='[How long after TERM it gets KILL; more than 0]:DURATION: ' \
    '(--signal-timeout)'--signal-timeout='[How long after the graceful signal it gets KILL, with no TERM between]:DURATION: ' \
    '(-k --kill-children-on-exit)'{-k,--kill-children-on-exit}'[Have the system send workers USR2 when the keeper dies]' \
    '(-d --socket-path)'{-d+,--socket-path=}'[Where to make the control socket]:PATH:_files' \
    '(--pidfile)'--pidfile='[Write our process id here]:PATH:_files' \
    '(--lockfile)'--lockfile='[The file that is locked while we run]:PATH:_files' \
    '(-g --command-socket-as-fd)'{-g,--command-socket-as-fd}'[Give each worker an open connection to the control socket\: EINHORN_SOCK_FD]' \
    '(-v --verbose)'{-v,--verbose}'[Log more]' \
    '(-q --quiet)'{-q,--quiet}'[Log warnings and errors only]' \
    '(--log-format)'--log-format='[The form of the log on standard error]:text|json:(text json)' \
    '(--syslog)'--syslog'[Log warnings and errors to syslog, too]' \
    '(--upgrade-check)'--upgrade-check'[Check the command line and exit]' \
    '(-h --help)'{-h,--help}'[Print this text and exit]' \
    '(--version)'--version'[Print the version and exit]' \
    '(-):program:_command_names -e' \
    '*::argument of the program:_normal'
