# SPDX-License-Identifier: MIT
"""Tests of worker.py: python3 -m unittest, in this directory."""

import asyncio
import gc
import json
import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import unittest
import warnings
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from unittest import mock
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import worker

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Case(unittest.TestCase):
    def setUp(self):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("EINHORN_", "LISTEN_", "SERVER_STARTER_", "NOTIFY_"))}
        self.env(clean, clear=True)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name, "sock"))
        # One that is asked by the tests, not by signals.
        with mock.patch("signal.signal"):
            self.stop = worker.Stop()

    def env(self, values, clear=False):
        patch = mock.patch.dict(os.environ, values, clear=clear)
        patch.start()
        self.addCleanup(patch.stop)

    def listen(self, backlog=16):
        s = socket.socket()
        self.addCleanup(s.close)
        s.bind(("127.0.0.1", 0))
        s.listen(backlog)
        return s

    def dial(self, listener):
        c = socket.create_connection(listener.getsockname(), timeout=30)
        self.addCleanup(c.close)
        return c

    def run_thread(self, target, *args, **kwargs):
        thread = threading.Thread(target=target, args=args, kwargs=kwargs)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.stop.ask, True)
        return thread


class Sockets(Case):
    def test_what_the_environment_names(self):
        pid = str(os.getpid())
        for env, want in (
            ({}, []),
            ({"EINHORN_FD_COUNT": "2", "EINHORN_FD_0": "3", "EINHORN_FD_1": "5", "EINHORN_FDS": "9"}, [3, 5]),
            ({"EINHORN_FD_COUNT": "0", "EINHORN_FDS": "9"}, []),
            ({"EINHORN_FDS": "3 4", "LISTEN_FDS": "9"}, [3, 4]),
            ({"LISTEN_FDS": "2", "LISTEN_PID": pid}, [3, 4]),
            ({"LISTEN_FDS": "2", "LISTEN_PID": "1"}, []),
            ({"LISTEN_FDS": "2"}, []),
            ({"LISTEN_FDS": "2", "LISTEN_PID": "1", "SERVER_STARTER_PORT": "80=3;[::1]:81=4;/a=b=5"}, [3, 4, 5]),
        ):
            with self.subTest(env):
                self.assertEqual([fd for _, fd in worker._inherited(env)], want)

    def test_what_is_wrong_is_named(self):
        file = open(os.devnull)
        self.addCleanup(file.close)
        plain = socket.socket()
        self.addCleanup(plain.close)
        for env, want in (
            ({}, "EINHORN_FD_0 is not set, nor LISTEN_FDS"),
            ({"EINHORN_FD_COUNT": "x"}, "EINHORN_FD_COUNT=x is not a number"),
            ({"EINHORN_FD_COUNT": "2", "EINHORN_FD_0": "3"}, "EINHORN_FD_1 is not set, but EINHORN_FD_COUNT=2"),
            ({"EINHORN_FDS": "3 -1"}, "EINHORN_FDS=-1 is not a number"),
            ({"EINHORN_FDS": "3 3"}, "the same descriptor twice"),
            ({"EINHORN_FDS": "99999"}, "cannot use EINHORN_FDS=99999: "),
            ({"EINHORN_FDS": str(file.fileno())}, "cannot use EINHORN_FDS"),
            ({"EINHORN_FDS": str(plain.fileno())}, "does not listen"),
            ({"SERVER_STARTER_PORT": "80"}, "cannot use SERVER_STARTER_PORT=80"),
        ):
            with self.subTest(env), mock.patch.dict(os.environ, env), self.assertRaisesRegex(ValueError, want):
                worker.sockets()

    def test_inherited_ones_come_before_addresses(self):
        given = self.listen()
        self.env({"EINHORN_FD_COUNT": "1", "EINHORN_FD_0": str(given.fileno()), "EINHORN_CHILD_INDEX": "3"})
        (got,) = worker.sockets("127.0.0.1:1")
        self.addCleanup(got.detach)
        self.assertEqual(got.getsockname(), given.getsockname())
        self.assertFalse(got.get_inheritable() or got.getblocking())
        self.assertTrue(worker.managed())
        self.assertEqual(worker.index(), 3)

    def test_datagrams(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as given:
            given.bind(("127.0.0.1", 0))
            self.env({"EINHORN_FDS": str(given.fileno())})
            (got,) = worker.sockets()
            self.assertEqual(got.detach(), given.fileno())

    def test_addresses(self):
        listeners = worker.sockets("127.0.0.1:0", ":0")
        for listener in listeners:
            with listener:
                self.dial(listener)
        self.assertFalse(worker.managed())
        self.assertIsNone(worker.index())
        for wrong in ("8080", "host", "host:x", "/path"):
            with self.assertRaisesRegex(ValueError, "right is 127.0.0.1:8080"):
                worker.sockets(wrong)


class Manager:
    """A control socket that does as it is told with each connection."""

    def __init__(self, case, path):
        self.lines, self.socket = [], socket.socket(socket.AF_UNIX)
        case.addCleanup(self.socket.close)
        self.socket.bind(path)
        self.socket.listen()

    def answer(self, *answers):
        def run():
            for answer in answers:
                conn, _ = self.socket.accept()
                with conn, conn.makefile() as lines:
                    self.lines.append(json.loads(lines.readline()))
                    if answer:
                        conn.sendall(answer)

        thread = threading.Thread(target=run)
        thread.start()
        return thread


class Ack(Case):
    def setUp(self):
        super().setUp()
        self.env({"EINHORN_SOCK_PATH": self.path, "EINHORN_MASTER_PID": str(os.getppid())})

    def test_answered(self):
        manager = Manager(self, self.path)
        thread = manager.answer(b'"Acknowledged!"\n')
        self.assertTrue(worker.ack())
        thread.join()
        self.assertEqual(manager.lines, [{"command": "worker:ack", "pid": os.getpid()}])

    def test_closed_without_a_word_is_tried_once_more(self):
        manager = Manager(self, self.path)
        thread = manager.answer(b"", b"")
        self.assertTrue(worker.ack())
        thread.join()
        self.assertEqual(len(manager.lines), 2)

    def test_goes_on_trying_while_the_master_is_away(self):
        manager = []

        def arrive(_):
            if not manager:
                manager.append(Manager(self, self.path))
                manager.append(manager[0].answer(b"ok\n"))

        with mock.patch("time.sleep", arrive):
            self.assertTrue(worker.ack())
        manager[1].join()

    def test_gives_up(self):
        with self.assertLogs("worker", "WARNING") as logs:
            self.assertFalse(worker.ack(timeout=0.02))
        self.assertIn("cannot send worker:ack to " + self.path, logs.output[0])

    def test_another_parent_is_refused(self):
        Manager(self, self.path)
        self.env({"EINHORN_MASTER_PID": "1073741824"})
        with self.assertLogs("worker", "WARNING") as logs:
            self.assertFalse(worker.ack())
            self.assertFalse(worker.ping("x"))
        self.assertIn("the parent is", logs.output[0])

    def test_without_a_manager(self):
        for name in ("EINHORN_SOCK_PATH", "EINHORN_MASTER_PID"):
            with mock.patch.dict(os.environ, {name: ""}):
                self.assertFalse(worker.ack())

    def test_ping(self):
        manager = Manager(self, self.path)
        thread = manager.answer(b"")
        self.assertTrue(worker.ping("GET /"))
        thread.join()
        self.assertEqual(manager.lines, [{"command": "worker:ping", "pid": os.getpid(), "request_id": "GET /"}])
        with self.assertRaises(ValueError):
            worker.ping("x" * 257)

    def test_a_connection_of_its_own(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self.env({"EINHORN_SOCK_FD": str(ours.fileno())})
        theirs.sendall(b'{"ok":true}\n')
        self.assertTrue(worker.ack())
        self.assertTrue(worker.ping("x"))
        lines = [json.loads(line) for line in theirs.recv(4096).splitlines()]
        self.assertEqual(lines[0], {"command": "worker:ack", "pid": os.getpid(), "id": 1})
        self.assertEqual(lines[1]["command"], "worker:ping")
        self.assertTrue(ours.getblocking())

    def test_an_own_connection_that_is_none(self):
        listener = self.listen()
        for fd in (str(listener.fileno()), str(self.dial(listener).fileno()), "0", "x", "99999"):
            with mock.patch.dict(os.environ, {"EINHORN_SOCK_FD": fd}), self.assertLogs("worker"):
                self.assertFalse(worker.ack(timeout=0.01))

    def test_systemd_is_told_too(self):
        self.env({"EINHORN_SOCK_PATH": "", "NOTIFY_SOCKET": self.path})
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(self.path)
            self.assertTrue(worker.ack())
            self.assertEqual(s.recv(100), b"READY=1")
        os.unlink(self.path)
        with self.assertLogs("worker", "WARNING"):
            self.assertFalse(worker.ack())


class Signals(Case):
    def test_stop(self):
        called = []
        before = {s: signal.getsignal(s) for s in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)}
        for s, handler in before.items():
            self.addCleanup(signal.signal, s, handler)
        for graceful, hurry in ((signal.SIGUSR2, signal.SIGTERM), (signal.SIGUSR1, signal.SIGINT)):
            stop = worker.Stop(graceful, call=lambda: called.append(1))
            self.assertFalse(stop.wait(0))
            os.kill(os.getpid(), graceful)
            self.assertTrue(stop.wait(30) and stop.asked and not stop.hurried)
            os.kill(os.getpid(), hurry)
            self.assertTrue(stop._hurried in worker._readable([stop._hurried], 30) and stop.hurried)
        self.assertEqual(called, [1, 1])

    def test_a_signal_amid_another(self):
        # A handler may be interrupted before any of its instructions.
        for at in range(40):
            called, steps = [], []
            with mock.patch("signal.signal"):
                stop = worker.Stop(call=lambda: called.append(1))

            def trace(frame, event, _arg):
                if frame.f_code.co_filename != worker.__file__:
                    return None
                frame.f_trace_opcodes = True
                if event == "opcode":
                    steps.append(event)
                    if len(steps) == at:
                        stop.ask(True)
                return trace

            before = sys.gettrace()
            sys.settrace(trace)
            try:
                stop.ask(True)
            finally:
                sys.settrace(before)
            self.assertEqual((called, stop.asked, stop.hurried), ([1], True, True), f"before instruction {at}")
        self.assertGreater(len(steps), 30)


class Handler(worker.Draining, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format, *args):
        pass


def receive(conn):
    """One answer, as it came."""
    text = b""
    while not text.endswith(b"ok"):
        part = conn.recv(4096)
        if not part:
            raise EOFError(text)
        text += part
    return text.decode()


def ask(conn):
    conn.sendall(GET)
    return receive(conn)


class Drains(Case):
    """What holds for every server, whoever runs it."""

    def drain(self, listener, thread):
        # Connections are accepted in their order: with the answer of the last all were.
        unused, half, idle, last = (self.dial(listener) for _ in range(4))
        half.sendall(GET[:9])
        for c in (idle, last):
            self.assertNotIn("Connection: close", ask(c))
        self.stop.ask()
        while "Connection: close" not in ask(last):
            pass
        half.sendall(GET[9:])
        self.assertIn("Connection: close", receive(half))
        for c in (unused, idle):
            self.assertIn("Connection: close", ask(c))
        for c in (unused, half, idle, last):
            self.assertEqual(c.recv(1), b"")
        thread.join()

    def silent(self, listener, thread):
        with mock.patch.multiple(worker, IDLE_WAIT=0.05, UNUSED_WAIT=0.05):
            unused, used = self.dial(listener), self.dial(listener)
            ask(used)
            self.stop.ask()
            self.assertEqual(unused.recv(1) + used.recv(1), b"")
            thread.join()

    def hurried(self, listener, thread):
        with mock.patch.object(worker, "HURRIED_WAIT", 0.05):
            unused, used = self.dial(listener), self.dial(listener)
            ask(used)
            self.stop.ask()
            self.stop.ask(hurry=True)
            self.assertEqual(unused.recv(1) + used.recv(1), b"")
            thread.join()

    def each(self, start):
        for check in (self.drain, self.silent, self.hurried):
            with self.subTest(check.__name__), mock.patch("signal.signal"):
                self.stop = worker.Stop()
                ours = self.listen()
                listener = socket.socket(fileno=os.dup(ours.fileno()))
                check(ours, self.run_thread(start, listener))
                self.assertEqual(listener.fileno(), -1, "it is still open")

    def test_threads(self):
        self.each(lambda listener: worker.serve(worker.adopt(ThreadingHTTPServer, Handler, listener), stop=self.stop))

    def test_streams(self):
        self.each(lambda listener: asyncio.run(worker.serve_streams(talk, [listener], stop=self.stop)))

    def test_one_connection_at_a_time(self):
        listener = self.listen()
        server = worker.adopt(HTTPServer, Handler, listener)
        thread = self.run_thread(worker.serve, server, stop=self.stop)
        c = self.dial(listener)
        ask(c)
        self.stop.ask()
        while "Connection: close" not in ask(c):
            pass
        thread.join()

    def test_wsgi(self):
        class Quiet(worker.Draining, WSGIRequestHandler):
            def log_message(self, format, *args):
                pass

        class Server(ThreadingMixIn, WSGIServer):
            pass

        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]

        listener = self.listen()
        server = worker.adopt(Server, Quiet, listener)
        server.set_app(app)
        thread = self.run_thread(worker.serve, server, stop=self.stop)
        first, unused, probe = (self.dial(listener) for _ in range(3))
        for c in (first, probe):
            self.assertIn("200 OK", ask(c))
        self.stop.ask()
        self.assertIn("200 OK", ask(unused))
        thread.join()

    def test_unix_socket(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()

        class Quick(Handler):
            disable_nagle_algorithm = True  # means something to TCP alone

        thread = self.run_thread(worker.serve, worker.adopt(ThreadingHTTPServer, Quick, listener), stop=self.stop)
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(self.path)
            self.assertIn("200 OK", ask(c))
        self.stop.ask()
        thread.join()


async def talk(reader, writer, turns):
    while await turns.begin(reader.readline()):
        while (await reader.readline()).strip():
            pass
        close = b"Connection: close\r\n" if turns.last else b""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + close + b"\r\nok")
        await writer.drain()
        if close:
            return


class Asyncio(Case):
    def answered(self, close):
        """Whether a connection is answered that is accepted as its server is closed."""

        async def once(reader, writer):
            await reader.readline()
            writer.write(b"ok")
            writer.close()

        async def main():
            listener = self.listen()
            server = await asyncio.start_server(once, sock=listener)
            loop = asyncio.get_running_loop()
            c = self.dial(listener)
            c.setblocking(False)
            # What a turn of the loop does when it accepts and is told to close.
            (accept,) = [key.data[0] for key in loop._selector.get_map().values() if key.fd == listener.fileno()]
            accept._run()
            await close(server)
            await loop.sock_sendall(c, GET)
            try:
                return await loop.sock_recv(c, 4096) == b"ok"
            except ConnectionResetError:
                return False

        return asyncio.run(main())

    def test_the_difference(self):
        async def close(server):
            server.close()
            for _ in range(5):  # its transport is not made meanwhile
                await asyncio.sleep(0)
            gc.collect()  # until then nobody closes the connection, either

        self.assertTrue(self.answered(worker.leave), "leave() has lost a connection")
        # If this fails Python was mended, and what is said of it has to change.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            self.assertFalse(self.answered(close), "Server.close() has lost nothing")

    @unittest.skipUnless(hasattr(socket, "TCP_INFO"), "tells no backlog")
    def test_the_backlog_stays(self):
        def backlog(s):  # tcpi_sacked of a socket that listens
            return struct.unpack_from("I", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64), 28)[0]

        listener = self.listen(backlog=123)
        ours = socket.socket(fileno=os.dup(listener.fileno()))
        self.addCleanup(ours.close)
        self.run_thread(lambda: asyncio.run(worker.serve_streams(talk, [listener], stop=self.stop)))
        ask(self.dial(ours))
        self.assertEqual(backlog(ours), 123)
        self.stop.ask(hurry=True)

        async def usual():
            (await asyncio.start_server(lambda r, w: None, sock=ours.dup())).close()

        asyncio.run(usual())
        self.assertEqual(backlog(ours), 100, "asyncio leaves the backlog alone")


if __name__ == "__main__":
    unittest.main()
