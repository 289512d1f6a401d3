#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# run.sh DIR: nginx as a worker of einhyrningsins, with the socket that it inherits.
# What each nginx keeps for itself is in a directory below DIR.
set -eu

# No other live worker has this index, so no other nginx this directory.
dir=$1/$EINHORN_CHILD_INDEX
mkdir -p "$dir"
rm -f "$dir/nginx.pid" # of one that was killed

# SERVER_STARTER_PORT is 127.0.0.1:8080=3. nginx takes an inherited socket for a
# "listen" of the same address, and closes those that it has no "listen" for.
sed "s|@LISTEN@|${SERVER_STARTER_PORT%%=*}|; s|@GENERATION@|$SERVER_STARTER_GENERATION|" nginx.conf >"$dir/nginx.conf"

# The descriptors of the sockets, each with a semicolon behind it: in this way nginx
# hands them to its own next binary.
NGINX="$EINHORN_FD_0;" exec nginx -p "$dir" -c "$dir/nginx.conf" -e stderr
