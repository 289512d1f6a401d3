#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP worker for einhyrningsins, with Python's standard library alone.

It takes its socket from EINHORN_FD_0, says ACK once it accepts, and serves each
connection in a thread. Asked to stop (SIGUSR2, SIGTERM, SIGINT), it drains so
that no request is lost:

- it accepts no more; a connection that it has not accepted is left in the
  socket's queue for the other workers;
- a request that has begun is answered;
- every other connection gets one more request answered: one that was never
  used within UNUSED_WAIT, one that is idle between requests within IDLE_WAIT;
- these answers say "Connection: close", and the connection ends with them.

The listening socket is shared with other processes, and any of them may make it
non-blocking for all (Go workers always do). So accept() is called after poll()
only, and one that finds nothing, as another worker was faster, is not an error.
"""

import argparse
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

IDLE_WAIT = 5.0  # seconds that a used connection may be silent in a drain
UNUSED_WAIT = 30.0  # the same for one that has not sent a request yet
HURRIED_WAIT = 5.0  # at most, after SIGTERM or SIGINT
REQUEST_TIMEOUT = 60.0  # for one read or write within a request
ACK_TIMEOUT = 30.0


class Flag:
    """An event that poll() can wait for: its pipe is readable once it is set."""

    def __init__(self):
        self._read, self._write = os.pipe()
        self.is_set = False

    def set(self):
        if not self.is_set:
            self.is_set = True
            os.close(self._write)

    def fileno(self):
        return self._read


def wait_readable(files, timeout=None):
    """Wait until one of files is readable or timeout seconds have passed.

    Returns the set of readable ones.
    """
    poller = select.poll()
    for f in files:
        poller.register(f, select.POLLIN)
    ready = {fd for fd, _ in poller.poll(None if timeout is None else max(timeout, 0) * 1000)}
    return {f for f in files if f.fileno() in ready}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_TIMEOUT
    disable_nagle_algorithm = True
    wbufsize = -1  # header and body leave in one segment

    def handle(self):
        used = False
        while self.wait_for_request(used):
            self.close_connection = True
            self.handle_one_request()
            used = True
            if self.close_connection:
                return

    def wait_for_request(self, used):
        """Wait for the first bytes of a request; False when there won't be one."""
        if self.has_input():
            return True
        conn, worker = self.connection, self.server
        if not worker.stopping.is_set:
            if conn in wait_readable([conn, worker.stopping]):
                return True
        begun = time.monotonic()
        wait = IDLE_WAIT if used else UNUSED_WAIT
        if not worker.hurry.is_set:
            if conn in wait_readable([conn, worker.hurry], wait):
                return True
        left = begun + wait - time.monotonic()
        return left > 0 and bool(wait_readable([conn], min(left, HURRIED_WAIT)))

    def has_input(self):
        """Tell whether bytes of the next request were read ahead or wait already."""
        self.connection.settimeout(0)
        try:
            return bool(self.rfile.peek(1))
        except OSError:
            return True  # reading on will tell what is wrong
        finally:
            self.connection.settimeout(self.timeout)

    def end_headers(self):
        if self.server.stopping.is_set and not self.close_connection:
            self.send_header("Connection", "close")
        super().end_headers()

    def do_GET(self):
        body = self.server.answer
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass  # an access log belongs here


class Worker:
    def __init__(self, listener, build):
        self.listener = listener
        self.stopping = Flag()
        self.hurry = Flag()
        index = os.environ.get("EINHORN_CHILD_INDEX", "-1")
        self.answer = f"pid={os.getpid()} index={index} build={build}\n".encode()

    def on_signal(self, signum, _frame):
        self.stopping.set()
        if signum != signal.SIGUSR2:
            self.hurry.set()

    def serve(self):
        """Accept until asked to stop, then wait for the connections to end."""
        threads = set()
        while not self.stopping.is_set:
            if self.listener not in wait_readable([self.listener, self.stopping]):
                continue
            try:
                conn, addr = self.listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                continue  # another worker was faster, or the client has gone
            except OSError as e:
                # Out of file descriptors or memory: some will be given back.
                print(f"server.py: cannot accept: {e}", file=sys.stderr)
                time.sleep(0.1)
                continue
            thread = threading.Thread(target=self.converse, args=(conn, addr))
            thread.start()
            threads = {t for t in threads if t.is_alive()} if len(threads) > 1000 else threads
            threads.add(thread)
        self.listener.close()
        for thread in threads:
            thread.join()

    def converse(self, conn, addr):
        with conn:
            try:
                Handler(conn, addr, self)
                conn.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the client has gone


def inherited_socket():
    text = os.environ.get("EINHORN_FD_0") or os.environ.get("EINHORN_FDS", "").partition(" ")[0]
    if not text:
        sys.exit(
            "server.py: no socket: EINHORN_FD_0 is not set; "
            "run me with: einhyrningsins -m -b 127.0.0.1:8080,r -- python3 server.py"
        )
    try:
        listener = socket.socket(fileno=int(text))
        if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError("the socket does not listen")
    except (ValueError, OSError) as e:
        sys.exit(f"server.py: cannot use EINHORN_FD_0={text}: {e}")
    os.set_inheritable(listener.fileno(), False)
    listener.setblocking(False)
    return listener


def acknowledge(stopping):
    """Tell the manager that we accept. Its master may be away for a moment."""
    path = os.environ.get("EINHORN_SOCK_PATH")
    master = os.environ.get("EINHORN_MASTER_PID")
    if not path or master != str(os.getppid()):
        print("server.py: no ACK: our parent is not the manager", file=sys.stderr)
        return
    line = json.dumps({"command": "worker:ack", "pid": os.getpid()}).encode() + b"\n"
    end = time.monotonic() + ACK_TIMEOUT
    pause = 0.005
    while not stopping.is_set:
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(2)
                s.connect(path)
                s.sendall(line)
                try:
                    s.recv(4096)  # a reply is not owed, and not needed
                except TimeoutError:
                    pass
                return
        except OSError as e:
            if time.monotonic() > end:
                print(f"server.py: cannot ACK: {path}: {e}", file=sys.stderr)
                return
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def main():
    parser = argparse.ArgumentParser(description="An HTTP worker for einhyrningsins.")
    parser.add_argument("--boot", type=float, default=0, metavar="SECONDS", help="time that starting takes")
    parser.add_argument("--build", default="dev", help="what to call this build in the answers")
    args = parser.parse_args()

    listener = inherited_socket()
    time.sleep(args.boot)
    worker = Worker(listener, args.build)
    for s in (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT):
        signal.signal(s, worker.on_signal)
    acker = threading.Thread(target=acknowledge, args=(worker.stopping,), daemon=True)
    acker.start()
    worker.serve()


if __name__ == "__main__":
    main()
