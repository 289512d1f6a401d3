# SPDX-License-Identifier: MIT
"""What a Python program needs to run under einhyrningsins or einhorn.

Copy this file into your project; it is all there is. Python 3.9 or later.

    import worker
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(worker.Draining, BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        ...

    stop = worker.Stop()                           # first: hear the signals
    listener, = worker.sockets("127.0.0.1:8080")   # the address is for no manager
    server = worker.adopt(ThreadingHTTPServer, Handler, listener)
    worker.serve(server, stop=stop)                # ACKs, accepts, drains, returns

serve() is for all of socketserver, http.server and wsgiref; serve_streams() is
for asyncio. Other servers use the parts: sockets(), ack(), ping() and Stop.

A drain loses no request. The listening sockets are closed first: they are
shared, so what waits in their queues goes to other workers. Then

- a request that has begun is answered;
- every other connection gets one more request answered: one that was never
  used within UNUSED_WAIT, one that is idle between requests within IDLE_WAIT;
- these answers say "Connection: close", and the connection ends with them.

The sockets are made non-blocking. O_NONBLOCK belongs to the open file
description, so it holds for every process that shares them: accept() has to
expect BlockingIOError there. Without it a process could wait in accept() for a
connection that another one has just taken, and not hear that it has to stop.

The module logs to the logger "worker": a warning when the manager that started
this process cannot be told that it is ready. Nothing here ends the program
because there is no manager.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import select
import signal
import socket
import socketserver
import threading
import time
from typing import Any, Awaitable, Callable, Iterable, List, Mapping, Optional, Set, Tuple, TypeVar

__all__ = [
    "Draining", "Stop", "Turns", "ack", "adopt", "index", "leave", "managed", "ping", "serve", "serve_streams", "sockets",
]

IDLE_WAIT = 5.0  #: seconds that a used connection may be silent in a drain
UNUSED_WAIT = 30.0  #: the same for one that has not sent a request yet
HURRIED_WAIT = 5.0  #: at most, once SIGTERM or SIGINT came

log = logging.getLogger("worker")
T = TypeVar("T")


# Sockets


def managed() -> bool:
    """Tell whether the environment speaks of a manager and its sockets."""
    return any(os.environ.get(name) for name in ("EINHORN_FD_COUNT", "EINHORN_FDS", "EINHORN_MASTER_PID"))


def index() -> Optional[int]:
    """The lowest number that no other worker had when this one was started."""
    text = os.environ.get("EINHORN_CHILD_INDEX", "")
    return int(text) if text.isdigit() else None


def sockets(*addresses: str) -> List[socket.socket]:
    """The sockets that this process was started with, in their order.

    They listen already; those for datagrams are bound. They are looked for as
    einhorn passes them (EINHORN_FD_0 …), then systemd (LISTEN_FDS), then
    Server::Starter (SERVER_STARTER_PORT). When there are none, addresses are bound
    instead: "HOST:PORT" or "[IPV6]:PORT". ValueError tells which variable is wrong,
    or that there is neither socket nor address.
    """
    found = _inherited(os.environ)
    # Look at all before one is touched: with variables left over from another
    # process the descriptors are somebody else's.
    for name, fd in found:
        _check(name, fd)
    if found:
        return [_take(fd) for _, fd in found]
    if not addresses:
        raise ValueError(
            "no sockets: EINHORN_FD_0 is not set, nor LISTEN_FDS, nor SERVER_STARTER_PORT; "
            "start the program with: einhyrningsins -m -b 127.0.0.1:8080,r -- PROGRAM"
        )
    return [_bind(address) for address in addresses]


def _inherited(env: Mapping[str, str]) -> List[Tuple[str, int]]:
    """What the environment names: a text for errors, and the descriptor."""
    named: List[Tuple[str, str]] = []
    if env.get("EINHORN_FD_COUNT"):
        for i in range(_number("EINHORN_FD_COUNT", env["EINHORN_FD_COUNT"])):
            name = f"EINHORN_FD_{i}"
            if not env.get(name):
                raise ValueError(f"{name} is not set, but EINHORN_FD_COUNT={env['EINHORN_FD_COUNT']}")
            named.append((name, env[name]))
    elif env.get("EINHORN_FDS"):
        named = [("EINHORN_FDS", text) for text in env["EINHORN_FDS"].split()]
    elif env.get("LISTEN_FDS") and env.get("LISTEN_PID") == str(os.getpid()):
        named = [("LISTEN_FDS", str(3 + i)) for i in range(_number("LISTEN_FDS", env["LISTEN_FDS"]))]
    elif env.get("SERVER_STARTER_PORT"):
        named = [("SERVER_STARTER_PORT", item.rpartition("=")[2]) for item in env["SERVER_STARTER_PORT"].split(";")]
    found = [(f"{name}={text}", _number(name, text)) for name, text in named]
    if len({fd for _, fd in found}) != len(found):
        raise ValueError("the same descriptor twice: " + ", ".join(name for name, _ in found))
    return found


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise ValueError(f"{name}={text} is not a number")
    return int(text)


def _check(name: str, fd: int) -> None:
    try:
        s = socket.socket(fileno=os.dup(fd))
    except OSError as e:
        raise ValueError(f"cannot use {name}: {e}") from None
    with s:
        if s.type == socket.SOCK_STREAM and not s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError(f"cannot use {name}: the socket does not listen")


def _take(fd: int) -> socket.socket:
    s = socket.socket(fileno=fd)
    s.set_inheritable(False)
    s.setblocking(False)
    return s


def _bind(address: str) -> socket.socket:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError(f"{address!r} is not an address; right is 127.0.0.1:8080 or [::1]:8080")
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host.strip("[]"), int(port)))
    s.listen(socket.SOMAXCONN)
    s.setblocking(False)
    return s


# ACK and ping

#: What a control socket gives while the master behind it is being replaced, or
#: when its queue is full.
_PASSING = {
    errno.ENOENT, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT,
}
_REPLY_WAIT = 2.0  # a manager may owe no reply


def ack(timeout: float = 30.0) -> bool:
    """Tell the manager that this worker accepts connections.

    Goes on trying for timeout seconds, because the manager's master may be away
    for a moment. False: there is no manager, or it could not be told. Where
    NOTIFY_SOCKET is set, systemd's READY=1 goes there, too.
    """
    notified = _notify("READY=1")
    return _tell({"command": "worker:ack", "pid": os.getpid()}, True, timeout) or notified


def ping(request_id: str = "", timeout: float = 1.0) -> bool:
    """Give the manager a sign of life, which its status shows."""
    if len(request_id.encode()) > 256:
        raise ValueError("a request_id has at most 256 bytes")
    return _tell({"command": "worker:ping", "pid": os.getpid(), "request_id": request_id}, False, timeout)


def _tell(message: Mapping[str, Any], want_reply: bool, timeout: float) -> bool:
    path, master = os.environ.get("EINHORN_SOCK_PATH"), os.environ.get("EINHORN_MASTER_PID")
    if not path or not master:
        return False
    if master != str(os.getppid()):
        # The variables came through another program, or the manager is gone.
        log.warning("no %s: EINHORN_MASTER_PID=%s, but the parent is %d", message["command"], master, os.getppid())
        return False
    end, pause, closed = time.monotonic() + timeout, 0.005, False
    while True:
        try:
            if _deliver(path, message, want_reply) or closed:
                return True
            # Closed without a word: einhorn does that, and so does a master that
            # dies after it has read the line. Once more can do no harm.
            closed, error = True, OSError("closed without an answer")
        except OSError as e:
            error = e
            if not isinstance(e, socket.timeout) and e.errno not in _PASSING:
                end = 0.0
        if time.monotonic() + pause > end:
            if not closed:
                log.warning("cannot send %s to %s: %s", message["command"], path, error)
            return closed
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def _deliver(path: str, message: Mapping[str, Any], want_reply: bool) -> bool:
    """Write one line. False: the connection was closed without an answer."""
    s, own = _connect(path)
    with s:
        if own and want_reply:
            message = {**message, "id": 1}  # keeps the connection open for pings
        s.sendall(json.dumps(message).encode() + b"\n")
        if not want_reply or not _readable([s], _REPLY_WAIT):
            return True
        return bool(s.recv(4096))


def _connect(path: str) -> Tuple[socket.socket, bool]:
    """The control socket, or else the connection that the worker was started with."""
    s = socket.socket(socket.AF_UNIX)
    try:
        s.settimeout(_REPLY_WAIT)
        s.connect(path)
        return s, False
    except OSError:
        s.close()
        own = _own_connection(os.environ.get("EINHORN_SOCK_FD", ""))
        if own is None:
            raise
        return own, True


def _own_connection(text: str) -> Optional[socket.socket]:
    if not text.isdigit() or int(text) < 3:
        return None
    try:
        s = socket.socket(fileno=os.dup(int(text)))
    except OSError:
        return None
    try:
        # Neither end of a socket pair has a name.
        if s.family == socket.AF_UNIX and not s.getsockname() and not s.getpeername():
            return s
    except OSError:
        pass
    s.close()
    return None


def _notify(state: str) -> bool:
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        try:
            s.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)
        except OSError as e:
            log.warning("cannot send %s to %s: %s", state, path, e)
            return False
    return True


# Stopping


class _Flag:
    """An event that poll() can wait for: its pipe is readable once it is set."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        self._write = [write]
        self.is_set = False

    def set(self) -> bool:
        """True: it was not set before. Two signals at once are told apart by pop()."""
        try:
            write = self._write.pop()
        except IndexError:
            return False
        self.is_set = True
        os.close(write)
        return True

    def fileno(self) -> int:
        return self._read


class Stop:
    """Hears that this process is to end: by the graceful signal, TERM or INT.

    Make it first thing in the main thread: a signal that comes before ends the
    process, which is right only while it has accepted nothing. call is called
    at the first signal, in the main thread, between any two instructions of it.
    A server that has no use for serve() polls it (fileno() becomes readable),
    waits for it, or looks at asked and hurried.
    """

    def __init__(self, graceful: int = signal.SIGUSR2, call: Optional[Callable[[], object]] = None) -> None:
        self.graceful = graceful
        self._call = call
        self._asked, self._hurried = _Flag(), _Flag()
        for s in {graceful, signal.SIGTERM, signal.SIGINT}:
            signal.signal(s, lambda signum, _frame: self.ask(hurry=signum != graceful))

    @property
    def asked(self) -> bool:
        """Whether it is to end."""
        return self._asked.is_set

    @property
    def hurried(self) -> bool:
        """Whether TERM or INT came: it is to end soon."""
        return self._hurried.is_set

    def ask(self, hurry: bool = False) -> None:
        """Do what the signals do."""
        if hurry:
            self._hurried.set()
        if self._asked.set() and self._call:
            self._call()

    def fileno(self) -> int:
        return self._asked.fileno()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until it is to end, or timeout seconds have passed."""
        return self.asked or bool(_readable([self], timeout))

    def wait_for_request(self, conn: socket.socket, used: bool) -> bool:
        """Wait for the first bytes of the next request on conn, in its thread.

        used tells whether there was one before. False: there will be none, as
        this process is to end and the wait for it is over; close conn.
        """
        if conn in _readable([conn, self]):
            return True
        begun, wait = time.monotonic(), IDLE_WAIT if used else UNUSED_WAIT
        if conn in _readable([conn, self._hurried], wait):
            return True
        left = min(begun + wait - time.monotonic(), HURRIED_WAIT)
        return conn in _readable([conn], max(left, 0.0))


def _readable(files: Iterable[Any], timeout: Optional[float] = None) -> Set[Any]:
    """Wait until one of files can be read, or timeout seconds have passed."""
    poller, files = select.poll(), list(files)
    for f in files:
        poller.register(f, select.POLLIN)
    ready = {fd for fd, _ in poller.poll(None if timeout is None else timeout * 1000)}
    return {f for f in files if f.fileno() in ready}


# Servers of socketserver, http.server and wsgiref


class Draining:
    """What a request handler needs for the drain; put it before the other class.

    class Handler(worker.Draining, BaseHTTPRequestHandler): …
    """

    _used = False

    def setup(self) -> None:
        if self.request.family == socket.AF_UNIX:  # type: ignore[attr-defined]
            self.disable_nagle_algorithm = False  # there is none, and asking for it an error
        super().setup()  # type: ignore[misc]

    def handle(self) -> None:
        if self._wait():
            super().handle()  # type: ignore[misc]

    def handle_one_request(self) -> None:
        if self._used and not self._wait():
            self.close_connection = True
            return
        self._used = True
        super().handle_one_request()  # type: ignore[misc]

    def end_headers(self) -> None:
        # Only http.server has headers, and knows whether the connection stays.
        if self._stop().asked and not getattr(self, "close_connection", True):
            self.send_header("Connection", "close")  # type: ignore[attr-defined]
        super().end_headers()  # type: ignore[misc]

    def _stop(self) -> Stop:
        return self.server.stop  # type: ignore[attr-defined]

    def _wait(self) -> bool:
        if self._has_input():
            return True
        return self._stop().wait_for_request(self.connection, self._used)  # type: ignore[attr-defined]

    def _has_input(self) -> bool:
        """Whether bytes of the next request were read ahead or wait already."""
        conn = self.connection  # type: ignore[attr-defined]
        timeout = conn.gettimeout()
        conn.settimeout(0)
        try:
            return bool(self.rfile.peek(1))  # type: ignore[attr-defined]
        except OSError:
            return True  # reading on will tell what is wrong
        finally:
            conn.settimeout(timeout)


def adopt(server: Callable[..., T], handler: Callable[..., object], listener: socket.socket) -> T:
    """Make a server of a class of socketserver, http.server or wsgiref on listener."""
    address = listener.getsockname()
    host, port = address[:2] if isinstance(address, tuple) else ("localhost", 0)
    made: Any = server((host, port), handler, bind_and_activate=False)
    made.socket.close()
    made.socket, made.server_address = listener, address
    made.address_family = listener.family
    made.server_name, made.server_port = host, port  # without asking DNS, as server_bind() does
    if hasattr(made, "setup_environ"):
        made.setup_environ()
    return made


def serve(*servers: socketserver.TCPServer, stop: Optional[Stop] = None, acknowledge: bool = True) -> None:
    """ACK and serve until asked to stop, then drain.

    The handlers have to be Draining. With threads (ThreadingMixIn), all are
    waited for; without, one connection is served at a time, all servers together.
    """
    stop = stop or Stop()
    for server in servers:
        server.stop = stop  # type: ignore[attr-defined]
        server.daemon_threads = False  # type: ignore[attr-defined] # server_close() is to wait for them
        server.socket.setblocking(False)
    if acknowledge:
        threading.Thread(target=ack, daemon=True).start()
    while not stop.asked:
        ready = _readable([stop, *servers])
        for server in servers:
            if server in ready and not stop.asked:
                _accept(server)
    for server in servers:
        server.socket.close()  # all, before the first is waited for
    for server in servers:
        server.server_close()


def _accept(server: socketserver.TCPServer) -> None:
    try:
        request, address = server.get_request()
    except (BlockingIOError, ConnectionAbortedError, InterruptedError):
        return  # another worker was faster, or the client has gone
    except OSError as e:
        log.warning("cannot accept: %s", e)
        time.sleep(0.1)  # out of descriptors or memory: some will be given back
        return
    request.setblocking(True)
    address = address or ("local", 0)  # a UNIX socket's client has no name
    try:
        if server.verify_request(request, address):
            server.process_request(request, address)
        else:
            server.shutdown_request(request)
    except Exception:
        server.handle_error(request, address)
        server.shutdown_request(request)


# Servers of asyncio


class Turns:
    """One connection's part in the drain of serve_streams()."""

    def __init__(self, asked: "asyncio.Future[None]", hurried: "asyncio.Future[None]") -> None:
        self._asked, self._hurried = asked, hurried
        self._used = False

    @property
    def last(self) -> bool:
        """Whether the answer has to be the connection's last: say so in it."""
        return self._asked.done()

    async def begin(self, first: Awaitable[T]) -> Optional[T]:
        """Await the first part of a request, as in begin(reader.readline()).

        None: there will be none, as this process is to end and the wait for it is
        over. Then first was cancelled, and has to leave what it has read.
        """
        wait = IDLE_WAIT if self._used else UNUSED_WAIT
        self._used = True
        reading = asyncio.ensure_future(first)

        async def read_until(other: Optional["asyncio.Future[None]"], timeout: Optional[float]) -> None:
            if not reading.done():
                waiting = {reading, other} if other else {reading}
                await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

        try:
            await read_until(self._asked, None)
            end = time.monotonic() + wait
            await read_until(self._hurried, wait)
            await read_until(None, min(HURRIED_WAIT, end - time.monotonic()))
            return reading.result() if reading.done() else None
        finally:
            reading.cancel()


async def serve_streams(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter, Turns], Awaitable[None]],
    listeners: Iterable[socket.socket],
    stop: Optional[Stop] = None,
    acknowledge: bool = True,
) -> None:
    """ACK and serve streams until asked to stop, then drain.

    talk(reader, writer, turns) has a connection to itself, which is closed when it
    returns; it awaits each request by turns.begin() and heeds turns.last.

    This accepts by itself. asyncio.start_server(sock=…) would set the backlog of
    the shared socket to 100, for everybody; and Server.close() drops connections
    (see leave()).
    """
    loop = asyncio.get_running_loop()
    stop = stop or Stop()
    asked, hurried = _future(loop, stop._asked), _future(loop, stop._hurried)
    talks: Set["asyncio.Future[None]"] = set()

    def accept(listener: socket.socket) -> None:
        try:
            conn, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return
        except OSError as e:
            log.warning("cannot accept: %s", e)
            loop.remove_reader(listener)
            loop.call_later(0.1, lambda: asked.done() or loop.add_reader(listener, accept, listener))
            return
        conn.setblocking(False)
        task = loop.create_task(_converse(talk, conn, Turns(asked, hurried)))
        talks.add(task)
        task.add_done_callback(talks.discard)

    listeners = list(listeners)
    for listener in listeners:
        listener.setblocking(False)
        loop.add_reader(listener, accept, listener)
    if acknowledge:
        threading.Thread(target=ack, daemon=True).start()
    await asked
    for listener in listeners:
        loop.remove_reader(listener)
        listener.close()
    while talks:
        await asyncio.wait(set(talks))


def _future(loop: asyncio.AbstractEventLoop, flag: _Flag) -> "asyncio.Future[None]":
    future: "asyncio.Future[None]" = loop.create_future()

    def done() -> None:
        loop.remove_reader(flag.fileno())
        if not future.done():
            future.set_result(None)

    loop.add_reader(flag.fileno(), done)
    return future


async def _converse(talk: Callable[..., Awaitable[None]], conn: socket.socket, turns: Turns) -> None:
    reader, writer = await asyncio.open_connection(sock=conn)
    try:
        await talk(reader, writer, turns)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the client has gone
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass


async def leave(server: asyncio.AbstractServer) -> None:
    """Close a server that asyncio made, and drop nothing.

    Server.close() alone drops a connection that was accepted in the same turn of
    the loop: its transport is made a turn later, and finds a server that is
    closed. So stop accepting first, let the loop turn, and then close.
    """
    loop = asyncio.get_running_loop()
    for s in server.sockets:  # type: ignore[attr-defined]
        loop.remove_reader(s.fileno())
    for _ in range(3):
        await asyncio.sleep(0)
    server.close()
