# SPDX-License-Identifier: GPL-3.0-or-later
# A PSGI application that says who it is. /slow takes 50 ms.
use strict;
use warnings;

my $generation = $ENV{SERVER_STARTER_GENERATION} // 0;

sub {
    my $env = shift;
    select undef, undef, undef, 0.05 if $env->{PATH_INFO} eq '/slow';
    my $body = "pid=$$ generation=$generation\n";
    return [200, ['Content-Type' => 'text/plain', 'Content-Length' => length $body], [$body]];
};
