#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
#
# accept.pl COMMAND...: runs the command for each connection to the socket that it
# inherits, as inetd does. The shell has no accept(), and neither nc nor the socat of
# Debian 12 takes a socket that listens already; perl-base is on every Debian.
use strict;
use warnings;
use Fcntl;
use IO::Handle;
use Socket;

my $fd = $ENV{EINHORN_FD_0} // die "accept.pl: no socket: EINHORN_FD_0 is not set; "
  . "run me with: einhyrningsins -m -b 127.0.0.1:8080,r -- ./accept.pl ./answer.sh\n";
open(my $listener, '+<&=', $fd) or die "accept.pl: cannot use EINHORN_FD_0=$fd: $!\n";

# Another worker may be faster. An accept() that blocks then would hear no signal
# before the next connection. It holds for all who share the socket.
fcntl($listener, F_SETFL, fcntl($listener, F_GETFL, 0) | O_NONBLOCK) or die "accept.pl: $!\n";

# A signal writes to a pipe, for which select() can wait beside the socket.
pipe(my $asked, my $ask) or die "accept.pl: $!\n";
$SIG{$_} = sub { syswrite($ask, '!') } for qw(USR2 TERM);

# Says that we accept. The master may die with the line: then the connection ends
# without an answer, and the next master is told.
for (1 .. 100) {
	last unless $ENV{EINHORN_SOCK_PATH};    # started by hand
	socket(my $control, PF_UNIX, SOCK_STREAM, 0) or die "accept.pl: $!\n";
	$control->autoflush(1);
	last if connect($control, pack_sockaddr_un($ENV{EINHORN_SOCK_PATH}))
	  && print($control qq({"command":"worker:ack","pid":$$}\n))
	  && defined(<$control>);
	select(undef, undef, undef, 0.05);
}

my %children;
for (;;) {
	my $wait = '';
	vec($wait, fileno($_), 1) = 1 for $listener, $asked;
	if (select(my $ready = $wait, undef, undef, undef) > 0) {
		last if vec($ready, fileno($asked), 1);
		if (accept(my $conn, $listener)) {
			my $pid = fork;
			if (defined $pid && !$pid) {
				open(STDIN, '<&', $conn) and open(STDOUT, '>&', $conn) and exec @ARGV;
				die "accept.pl: cannot run $ARGV[0]: $!\n";
			}
			$children{$pid} = 1 if $pid;
		}
	}
	for (keys %children) { delete $children{$_} if waitpid($_, 1) }
}
close($listener);
# What is left when we have ended would get TERM.
waitpid($_, 0) for keys %children;
