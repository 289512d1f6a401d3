# SPDX-License-Identifier: GPL-3.0-or-later
"""An ASGI application that says who it is. /slow takes 50 ms."""

import asyncio
import json
import os
import socket

GENERATION = os.environ.get("SERVER_STARTER_GENERATION", "0")


def acknowledge():
    """Tell einhyrningsins that we are ready."""
    path = os.environ.get("EINHORN_SOCK_PATH")
    if not path:
        return  # started by hand
    line = json.dumps({"command": "worker:ack", "pid": os.getpid()}) + "\n"
    while True:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)  # waits while there is no master
            try:
                s.sendall(line.encode())
                if s.recv(1024):
                    return
            except OSError:
                pass  # a master died with it: tell the next one


async def lifespan(receive, send):
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            acknowledge()
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    while (await receive()).get("more_body"):
        pass  # hypercorn ends a connection whose request was not read to its end
    if scope["path"] == "/slow":
        await asyncio.sleep(0.05)
    body = f"pid={os.getpid()} generation={GENERATION}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
