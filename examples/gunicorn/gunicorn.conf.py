# SPDX-License-Identifier: GPL-3.0-or-later
"""gunicorn under einhyrningsins: one gunicorn worker for each of ours, and an
ACK once the application is loaded."""

import json
import os
import socket

workers = 1
# Longer than the drain may take: when this is over, gunicorn kills its worker.
graceful_timeout = 30


def post_worker_init(worker):
    """Tell einhyrningsins that we accept, in the name of our arbiter.

    gunicorn calls this in its worker when the application is loaded and the
    signal handlers are set. The arbiter's own when_ready is too early: it comes
    before anything was loaded.
    """
    path = os.environ.get("EINHORN_SOCK_PATH")
    if not path:
        return  # started by hand
    line = json.dumps({"command": "worker:ack", "pid": worker.ppid}) + "\n"
    while True:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)  # waits while there is no master
            try:
                s.sendall(line.encode())
                if s.recv(1024):
                    return
            except OSError:
                pass  # a master died with it: tell the next one
