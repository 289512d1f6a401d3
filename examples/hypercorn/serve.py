#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Usage: serve.py FD APP

What hypercorn --bind fd://FD does, without one fault. Asked to end, hypercorn
closes its servers in the turn of the event loop that comes upon it, and what
asyncio has accepted in the turn before is dropped. Here no more is accepted
first, and what was accepted becomes a connection that hypercorn waits for.
"""

import asyncio
import signal
import sys

import hypercorn
from hypercorn.asyncio import serve
from hypercorn.utils import load_application


class Config(hypercorn.Config):
    listening = ()

    def create_sockets(self):
        sockets = super().create_sockets()
        self.listening = sockets.insecure_sockets + sockets.secure_sockets
        return sockets


async def main(fd, app):
    config = Config()
    config.bind = [f"fd://{fd}"]
    config.graceful_timeout = 30  # longer than any answer takes
    loop = asyncio.get_running_loop()
    term = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, term.set)

    async def asked_to_end():
        await term.wait()
        for listener in config.listening:
            loop.remove_reader(listener)
        await asyncio.sleep(0.1)  # what was accepted just now becomes a connection

    await serve(load_application(app), config, shutdown_trigger=asked_to_end)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
