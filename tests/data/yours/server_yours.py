"""Server Y as it can be solved: an event loop on epoll, with a heap of timers, keep-alive and pipelining."""

import heapq
import itertools
import os
import random
import select
import signal
import socket
import sys
import time
from typing import Any


def refuse(line: str) -> None:
    print(line.encode("unicode_escape").decode(), file=sys.stderr)  # on one line, whatever the value has
    sys.exit(2)


def number(name: str, default: float, low: float = 0, high: float = 60_000) -> Any:
    text = os.environ.get(name) or str(default)  # empty: the default, whose type the value has
    try:
        value = type(default)(text.encode())  # digits of ASCII only
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        refuse(f"{name}={text:.60}: must be a{' whole' * isinstance(default, int)} number from {low} to {high}")
    return value


PORT, BACKLOG = number("PORT", 8084, 1, 65535), number("BACKLOG", 128, 1, 65535)
WAIT_S, CPU_S = number("WAIT_MS", 20.0) / 1000, number("CPU_MS", 0.0) / 1000
WAITS = {"constant": lambda: WAIT_S, "exponential": lambda: random.expovariate(1) * WAIT_S}
HOST, DISTRIBUTION = os.environ.get("HOST") or "127.0.0.1", os.environ.get("WAIT_DISTRIBUTION") or "constant"
if DISTRIBUTION not in WAITS:
    refuse(f"WAIT_DISTRIBUTION={DISTRIBUTION:.60}: must be constant or exponential")
MOST_BYTES = 65_536  # that a connection may have sent without an answer
READ, WRITE = select.EPOLLIN, select.EPOLLOUT


class Connection:
    """A client: what has arrived (`received`), what is left to send, and whether a request waits."""

    def __init__(self, peer: socket.socket) -> None:
        self.peer, self.interest = peer, READ
        self.received, self.to_send = b"", b""
        self.waits = self.last = self.head_only = self.closed = False


connections: dict[int, Connection] = {}
timers: list[tuple[float, int, Connection, float]] = []  # due, a number that no other has, connection, begin
numbers = itertools.count()


def accept() -> None:
    try:
        peer, _ = listener.accept()
    except (BlockingIOError, ConnectionError):
        return
    peer.setblocking(False)
    connections[peer.fileno()] = Connection(peer)
    epoll.register(peer, READ)


def close(one: Connection) -> None:
    if not one.closed:
        one.closed = True
        del connections[one.peer.fileno()]
        one.peer.close()  # which takes it out of epoll, too


def read(one: Connection) -> None:
    try:
        data = one.peer.recv(MOST_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        data = b""
    if not data:
        return close(one)
    if not one.last:  # what arrives after the last request is discarded
        one.received += data
        begin_next(one)
    if not one.closed:
        watch(one)


def begin_next(one: Connection) -> None:
    """Begin one request after the other, until one has to wait."""
    while not (one.waits or one.last) and b"\r\n\r\n" in one.received:
        head, _, one.received = one.received.partition(b"\r\n\r\n")
        begin(one, head.decode("latin-1").split("\r\n"))
    if not (one.waits or one.last) and len(one.received) >= MOST_BYTES:
        answer(one, "431 Request Header Fields Too Large", last=True)


def begin(one: Connection, lines: list[str]) -> None:
    words = lines[0].split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.0", "HTTP/1.1"):
        return answer(one, "400 Bad Request", last=True)
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    one.last = words[2] == "HTTP/1.0" or fields.get("connection", "").lower() == "close"
    one.head_only = words[0] == "HEAD"
    path = words[1].partition("?")[0]
    if "transfer-encoding" in fields or fields.get("content-length", "0") != "0":
        answer(one, "413 Content Too Large", last=True)
    elif words[0] not in ("GET", "HEAD"):
        answer(one, "501 Not Implemented", last=True)
    elif path == "/":
        one.waits, now = True, time.perf_counter()
        heapq.heappush(timers, (now + WAITS[DISTRIBUTION](), next(numbers), one, now))
    else:
        answer(one, "200 OK" if path == "/healthz" else "404 Not Found")


def end_wait() -> None:
    _, _, one, begun = heapq.heappop(timers)
    one.waits = False
    if not one.closed:
        end = time.thread_time() + CPU_S
        while time.thread_time() < end:  # the computing: nothing else happens in this process
            pass
        answer(one, "200 OK", f"Server-Timing: service;dur={(time.perf_counter() - begun) * 1000:.3f}\r\n")
        begin_next(one)


def answer(one: Connection, status: str, field: str = "", *, last: bool = False) -> None:
    one.last |= last
    body = "yours\n" if status == "200 OK" else f"{status}\n"
    field += "Connection: close\r\n" * one.last
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n{field}\r\n"
    one.to_send += (head + body * (not one.head_only)).encode()
    write(one)


def write(one: Connection) -> None:
    try:
        one.to_send = one.to_send[one.peer.send(one.to_send) :]
    except BlockingIOError:
        pass
    except OSError:
        return close(one)
    if one.last and not (one.to_send or one.waits):
        return close(one)
    watch(one)


def watch(one: Connection) -> None:
    """Tell epoll what the connection is ready for: a client that does not wait for answers is not read for a while."""
    interest = READ * (len(one.received) < MOST_BYTES) | WRITE * bool(one.to_send)
    if interest != one.interest:
        one.interest = interest
        epoll.modify(one.peer, interest)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
try:
    listener = socket.create_server((HOST, PORT), backlog=BACKLOG)
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
listener.setblocking(False)
epoll = select.epoll()
epoll.register(listener, READ)
print(f"yours server, port {PORT}: wait {WAIT_S * 1000:g} ms {DISTRIBUTION}, backlog {BACKLOG}", flush=True)
while True:
    timeout_s = max(0.0, timers[0][0] - time.perf_counter()) if timers else None
    for descriptor, events in epoll.poll(timeout_s):
        if descriptor == listener.fileno():
            accept()
            continue
        ready = connections.get(descriptor)
        if ready and events & WRITE:
            write(ready)
        if ready and not ready.closed and events & ~WRITE:
            read(ready)
    while timers and timers[0][0] <= time.perf_counter():
        end_wait()
