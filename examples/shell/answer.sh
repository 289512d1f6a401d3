#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Answers one HTTP request: standard input and output are the connection.

read -r _ path _
while read -r line && [ "$line" != "$(printf '\r')" ]; do :; done
case $path in
/slow*) sleep 0.05 ;;
esac
body="pid=$PPID generation=$SERVER_STARTER_GENERATION"
printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n' $((${#body} + 1)) "$body"
