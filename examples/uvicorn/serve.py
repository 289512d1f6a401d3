#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Usage: serve.py FD APP

What uvicorn's --fd does, without three faults. Asked to end, uvicorn closes
connections that it has accepted and whose request it has not read yet; here
each of them may still send one. It looks only once at which connections there
are, so that one that was just accepted is kept as long as its client uses it;
here it is told to close. And it takes each socket that it is given for a UNIX
one, so that TCP_NODELAY is never set.
"""

import asyncio
import socket
import sys
import time

import uvicorn

UNUSED_WAIT = 30.0  # seconds that a connection may be silent which never sent a request


class Server(uvicorn.Server):
    async def shutdown(self, sockets=None):
        for server in self.servers:
            server.close()
        await asyncio.sleep(0.1)  # what was accepted just now becomes a connection
        end = time.monotonic() + UNUSED_WAIT
        while self.server_state.connections and time.monotonic() < end and not self.force_exit:
            for connection in list(self.server_state.connections):
                if connection.cycle is not None and not connection.transport.is_closing():
                    connection.shutdown()  # at once when idle, else after the answer
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


if __name__ == "__main__":
    listener = socket.socket(fileno=int(sys.argv[1]))  # asks the kernel what it is
    Server(uvicorn.Config(sys.argv[2], access_log=False)).run([listener])
