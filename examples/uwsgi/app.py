# SPDX-License-Identifier: GPL-3.0-or-later
"""A WSGI application that says who it is. /slow takes 50 ms."""

import os
import time

GENERATION = os.environ.get("SERVER_STARTER_GENERATION", "0")


def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.05)
    body = f"pid={os.getpid()} generation={GENERATION}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
