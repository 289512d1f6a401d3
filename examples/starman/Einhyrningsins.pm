# SPDX-License-Identifier: GPL-3.0-or-later
# What Starman needs under einhyrningsins: an ACK, and workers that end without
# losing a request. Load it with: starman -I. -MEinhyrningsins …
package Einhyrningsins;
use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use POSIX qw(:signal_h);
use Starman::Server;

no warnings 'redefine';

# Called in Starman's worker, which loads the application here.
my $init = \&Starman::Server::child_init_hook;
*Starman::Server::child_init_hook = sub {
    $init->(@_);
    ack();
};

# Tells einhyrningsins that we accept, in the name of Starman's master, whose
# process group we are in.
sub ack {
    my $path = $ENV{EINHORN_SOCK_PATH} or return;    # started by hand
    local $SIG{PIPE} = 'IGNORE';
    while (1) {
        # This waits while there is no master.
        my $control = IO::Socket::UNIX->new(Peer => $path) or die "cannot reach $path: $!\n";
        printf {$control} qq({"command":"worker:ack","pid":%d}\n), getppid;
        $control->flush;
        return if defined readline $control;         # else a master died with it
    }
}

# Starman's workers are asked to end by HUP. They can take it while they wait for
# a connection, and only then: it breaks off the reading of a request, and right
# after accept(2) its handler takes the worker for an idle one.
my $hup = POSIX::SigSet->new(SIGHUP);
*Starman::Server::accept = sub {
    my $server = shift->{server};
    my $wait   = IO::Select->new(@{$server->{sock}});
    $_->blocking(0) for @{$server->{sock}};          # another worker may be faster
    while (1) {
        sigprocmask(SIG_UNBLOCK, $hup);
        my @ready = $wait->can_read;
        sigprocmask(SIG_BLOCK, $hup);
        for my $socket (@ready) {
            return 1 if $server->{client} = $socket->accept;
        }
    }
};

1;
