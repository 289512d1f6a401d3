# fish completion for einhyrningsins
# Made from the list of options in internal/config; a test keeps it true.
# SPDX-License-Identifier: GPL-3.0-or-later

function __einhyrningsins_at_options --description 'No program was given yet'
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                return 1
            case -n --number -c --command-name --env --nice --user --group --umask --rlimit --oom-score-adj --chdir --envdir --env-file --drop-env-var --reexec-as -b --bind --backlog --ack-mode --watchdog --ack-timeout --upgrade --max-unacked --max-upgrade-additional --upgrade-retries -r --retries --seconds --graceful-signal --drain-timeout --kill-timeout --signal-timeout -d --socket-path --pidfile --lockfile --log-format
                set -e words[1]
            case '-*'
            case '*'
                return 1
        end
        set -q words[1]; and set -e words[1]
    end
    return 0
end

complete -c einhyrningsins -f
complete -c einhyrningsins -n __einhyrningsins_at_options -s n -l number -x -d 'How many workers to run, from 1 to 10000'
complete -c einhyrningsins -n __einhyrningsins_at_options -s c -l command-name -x -d 'Show this name in ps, for the keeper and its masters'
complete -c einhyrningsins -n __einhyrningsins_at_options -l env -x -a 'einhorn systemd server-starter einhorn,systemd,server-starter' -d 'Whose variables workers find: EINHORN_FD_0, LISTEN_FDS, SERVER_STARTER_PORT and their like; where the program has {fd:...} the default is without systemd'
complete -c einhyrningsins -n __einhyrningsins_at_options -l nice -x -d 'Niceness of keeper and masters, and of workers, from -20 to 19; RENICE_CMD sets them instead of the system call'
complete -c einhyrningsins -n __einhyrningsins_at_options -l user -x -d 'Run workers as this user (name or number), with its groups; the sockets are bound before'
complete -c einhyrningsins -n __einhyrningsins_at_options -l group -x -d 'Run workers as this group (name or number)'
complete -c einhyrningsins -n __einhyrningsins_at_options -l umask -x -d 'Permission bits removed from files that workers create, in octal digits'
complete -c einhyrningsins -n __einhyrningsins_at_options -l rlimit -x -d 'Set one of the limits of workers, as prlimit names them; infinity is none (repeatable)'
complete -c einhyrningsins -n __einhyrningsins_at_options -l no-new-privs -d 'Let no program that workers execute gain privileges, set-user-ID ones included'
complete -c einhyrningsins -n __einhyrningsins_at_options -l oom-score-adj -x -d 'How readily the kernel ends workers when memory is short, from -1000 to 1000'
complete -c einhyrningsins -n __einhyrningsins_at_options -l chdir -r -F -d 'Where workers run. Symbolic links are followed again for each generation'
complete -c einhyrningsins -n __einhyrningsins_at_options -l envdir -r -F -d 'Read variables from this directory, a file for each (repeatable)'
complete -c einhyrningsins -n __einhyrningsins_at_options -l env-file -r -F -d 'Read variables from this file, a line for each; with -, it may be missing (repeatable)'
complete -c einhyrningsins -n __einhyrningsins_at_options -l drop-env-var -x -d 'Keep this variable from the workers (repeatable)'
complete -c einhyrningsins -n __einhyrningsins_at_options -l reexec-as -x -d 'Look through this command, which ends by executing its arguments: the directory and environment that it leaves count for the new generation'
complete -c einhyrningsins -n __einhyrningsins_at_options -s b -l bind -x -d 'A socket for the workers (repeatable). WHERE: ADDR:PORT, udp:ADDR:PORT, unix:PATH, unix:@NAME, fd:N (was left open for us), systemd[:NAME] (its sockets). ADDR: address, [IPv6 address], name, or nothing for all. PORT 0: any free one. OPT: r, so_reuseaddr: a restart can bind at once; n, o_nonblock: do not block; reuseport; v6only; backlog=N; defer[=SECONDS]: accept only what has sent something; name=NAME; and of a path mode=0660, user=USER, group=GROUP'
complete -c einhyrningsins -n __einhyrningsins_at_options -s 4 -l ipv4-only -d 'Accept IPv4 connections only'
complete -c einhyrningsins -n __einhyrningsins_at_options -s 6 -l ipv6-only -d 'Accept IPv6 connections only'
complete -c einhyrningsins -n __einhyrningsins_at_options -l backlog -x -d 'How many connections may wait to be accepted'
complete -c einhyrningsins -n __einhyrningsins_at_options -s m -l manual -d 'The same as --ack-mode manual'
complete -c einhyrningsins -n __einhyrningsins_at_options -l ack-mode -x -a 'manual notify fd 0 1 5' -d 'A worker is ready once it sends an ACK (manual), or it sends READY=1 to NOTIFY_SOCKET, as under systemd (notify), or it writes a newline to the descriptor READY_FD, as under s6 (fd), or a command ends with status 0 (exec), or it accepts connections on a port of its own (tcp), or it answers a GET there with a status from 200 to 399 (http), or it has lived this long'
complete -c einhyrningsins -n __einhyrningsins_at_options -l watchdog -x -d 'Replace a ready worker that says nothing for this long; with --ack-mode notify'
complete -c einhyrningsins -n __einhyrningsins_at_options -l ack-timeout -x -d 'How long an ACK may take in manual mode'
complete -c einhyrningsins -n __einhyrningsins_at_options -l upgrade -x -a 'smooth fleet' -d 'Replace workers bit by bit, or all at once when all new ones are ready'
complete -c einhyrningsins -n __einhyrningsins_at_options -l max-unacked -x -d 'How many workers a smooth upgrade starts before they are ready'
complete -c einhyrningsins -n __einhyrningsins_at_options -l max-upgrade-additional -x -d 'How many processes more than --number a smooth upgrade may run, draining ones included'
complete -c einhyrningsins -n __einhyrningsins_at_options -l upgrade-retries -x -a '1 3 forever' -d 'After how many failed starts an upgrade is given up; forever counts as 10'
complete -c einhyrningsins -n __einhyrningsins_at_options -s r -l retries -x -a '1 10 forever' -d 'How many starts may fail in a row before giving up'
complete -c einhyrningsins -n __einhyrningsins_at_options -l seconds -x -d 'Least time between two starts in the same place; grows with each failure, to 30s at most'
complete -c einhyrningsins -n __einhyrningsins_at_options -l graceful-signal -x -a 'USR2 TERM QUIT INT HUP USR1 WINCH' -d 'What asks a worker to finish its connections and end'
complete -c einhyrningsins -n __einhyrningsins_at_options -l drain-timeout -x -d 'How long it may take for that before it gets TERM'
complete -c einhyrningsins -n __einhyrningsins_at_options -l kill-timeout -x -d 'How long after TERM it gets KILL; more than 0'
complete -c einhyrningsins -n __einhyrningsins_at_options -l signal-timeout -x -d 'How long after the graceful signal it gets KILL, with no TERM between'
complete -c einhyrningsins -n __einhyrningsins_at_options -s k -l kill-children-on-exit -d 'Have the system send workers USR2 when the keeper dies'
complete -c einhyrningsins -n __einhyrningsins_at_options -s d -l socket-path -r -F -d 'Where to make the control socket'
complete -c einhyrningsins -n __einhyrningsins_at_options -l pidfile -r -F -d 'Write our process id here'
complete -c einhyrningsins -n __einhyrningsins_at_options -l lockfile -r -F -d 'The file that is locked while we run'
complete -c einhyrningsins -n __einhyrningsins_at_options -s g -l command-socket-as-fd -d 'Give each worker an open connection to the control socket: EINHORN_SOCK_FD'
complete -c einhyrningsins -n __einhyrningsins_at_options -s v -l verbose -d 'Log more'
complete -c einhyrningsins -n __einhyrningsins_at_options -s q -l quiet -d 'Log warnings and errors only'
complete -c einhyrningsins -n __einhyrningsins_at_options -l log-format -x -a 'text json' -d 'The form of the log on standard error'
complete -c einhyrningsins -n __einhyrningsins_at_options -l syslog -d 'Log warnings and errors to syslog, too'
complete -c einhyrningsins -n __einhyrningsins_at_options -l upgrade-check -d 'Check the command line and exit'
complete -c einhyrningsins -n __einhyrningsins_at_options -s h -l help -d 'Print this text and exit'
complete -c einhyrningsins -n __einhyrningsins_at_options -l version -d 'Print the version and exit'
complete -c einhyrningsins -x -a '(__fish_complete_subcommand -n -c -b -r -d --number --command-name --env --nice --user --group --umask --rlimit --oom-score-adj --chdir --envdir --env-file --drop-env-var --reexec-as --bind --backlog --ack-mode --watchdog --ack-timeout --upgrade --max-unacked --max-upgrade-additional --upgrade-retries --retries --seconds --graceful-signal --drain-timeout --kill-timeout --signal-timeout --socket-path --pidfile --lockfile --log-format)'
