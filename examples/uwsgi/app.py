# SPDX-License-Identifier: GPL-3.0-or-later
"""A WSGI application that says who it is. /slow takes 50 ms."""

import json
import os
import socket
import time

import uwsgi

GENERATION = os.environ.get("SERVER_STARTER_GENERATION", "0")


def acknowledge():
    """Tell einhyrningsins that we accept, in the name of uWSGI's master."""
    path = os.environ.get("EINHORN_SOCK_PATH")
    if not path:
        return  # started by hand
    line = json.dumps({"command": "worker:ack", "pid": uwsgi.masterpid()}) + "\n"
    while True:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)  # waits while there is no master
            try:
                s.sendall(line.encode())
                if s.recv(1024):
                    return
            except OSError:
                pass  # a master died with it: tell the next one


# uWSGI calls this in its worker, once the application was loaded.
uwsgi.post_fork_hook = acknowledge


def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.05)
    body = f"pid={os.getpid()} generation={GENERATION}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
