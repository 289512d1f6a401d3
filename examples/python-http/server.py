#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP worker for einhyrningsins, with Python's standard library alone.

All that makes it a worker is in worker.py: a copy of it belongs beside this file.
"""

import argparse
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# What a copy makes needless.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "worker" / "python"))

import worker  # noqa: E402


class Handler(worker.Draining, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60.0  # for one read or write within a request
    disable_nagle_algorithm = True
    wbufsize = -1  # header and body leave in one segment
    answer = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format, *args):
        pass  # an access log belongs here


def main():
    parser = argparse.ArgumentParser(description="An HTTP worker for einhyrningsins.")
    parser.add_argument("--boot", type=float, default=0, metavar="SECONDS", help="time that starting takes")
    parser.add_argument("--build", default="dev", help="what to call this build in the answers")
    parser.add_argument("--addr", action="append", default=[], metavar="HOST:PORT", help="where to listen without a manager")
    args = parser.parse_args()

    stop = worker.Stop()  # the signals are ours from here on
    try:
        listeners = worker.sockets(*args.addr)
    except (ValueError, OSError) as e:
        sys.exit(f"server.py: {e}")
    if stop.wait(args.boot):
        return
    Handler.answer = f"pid={os.getpid()} index={worker.index()} build={args.build}\n".encode()
    worker.serve(*(worker.adopt(ThreadingHTTPServer, Handler, listener) for listener in listeners), stop=stop)


if __name__ == "__main__":
    main()
