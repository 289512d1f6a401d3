#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers each datagram with who we are and what it said."""

import json
import os
import select
import signal
import socket

GENERATION = os.environ.get("SERVER_STARTER_GENERATION", "0")


def acknowledge():
    """Say that we read. The master may die with the line: then there is no answer."""
    path = os.environ.get("EINHORN_SOCK_PATH")
    while path:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            try:
                s.sendall(json.dumps({"command": "worker:ack", "pid": os.getpid()}).encode() + b"\n")
                if s.recv(1024):
                    return
            except OSError:
                pass


def main():
    datagrams = socket.socket(fileno=int(os.environ["EINHORN_FD_0"]))
    asked, ask = os.pipe()
    for s in (signal.SIGUSR2, signal.SIGTERM):
        signal.signal(s, lambda *_: os.write(ask, b"!"))
    acknowledge()
    poller = select.poll()
    poller.register(datagrams, select.POLLIN)
    poller.register(asked, select.POLLIN)
    while True:
        if asked in (fd for fd, _ in poller.poll()):
            return  # what is in the socket's queue is for the others
        try:
            # All workers wake up for one datagram, and one gets it.
            said, sender = datagrams.recvfrom(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            continue
        datagrams.sendto(f"pid={os.getpid()} generation={GENERATION} ".encode() + said, sender)


if __name__ == "__main__":
    main()
