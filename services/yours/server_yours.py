"""Server Y, yours: write an event loop on epoll here. This skeleton answers every request with 501."""

import os
import random
import select
import signal
import socket
import sys
from contextlib import suppress
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
if not hasattr(select, "epoll"):
    refuse("select.epoll: only Linux has it; use a codespace, WSL2 or the dev container")

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
try:
    listener = socket.create_server((HOST, PORT), backlog=BACKLOG)
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
listener.setblocking(False)  # accept() never waits: only epoll waits
epoll = select.epoll()
epoll.register(listener, select.EPOLLIN)
print(f"yours server, port {PORT}: wait {WAIT_S * 1000:g} ms {DISTRIBUTION}, backlog {BACKLOG}", flush=True)

# What a server with an event loop needs, and this one lacks:
# - A table of connections. epoll reports the number of a descriptor; the table says which connection that is, what has
#   arrived of its request, and what is left to send of its answer.
# - Partial reads. A request may arrive in several pieces. Keep the pieces until the blank line that ends the head.
# - A list of timers, as a heap. Each request waits WAITS[DISTRIBUTION]() seconds, and then computes for CPU_S seconds
#   of CPU time. The wait must not block: while one request waits, the loop serves others. epoll waits for a descriptor
#   or for the earliest timer, whichever is first.
# - Partial writes. send() takes as much as the kernel has room for. The rest is sent when epoll reports room again.
# - An end for each connection: take it out of epoll, out of the table and out of the timers, and close it.
# `make contract` says which promises the server keeps; docs/yours.md describes them.
while True:
    for _descriptor, _events in epoll.poll():
        connection, _address = listener.accept()
        connection.settimeout(1)  # s. This blocks the loop: one client that sends nothing stops all others.
        with connection, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request and (more := connection.recv(65_536)):
                request += more
            if b"\r\n\r\n" in request:
                connection.sendall(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
