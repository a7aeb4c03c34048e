"""Server G, uvicorn: C's model, implemented in C (uvloop, httptools), or with PURE_PYTHON=1 in Python."""

import asyncio
import os
import random
import signal
import socket
import sys
import time
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


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


PORT, BACKLOG = number("PORT", 8088, 1, 65535), number("BACKLOG", 2048, 1, 65535)  # 2048: the library's own
WAIT_S, CPU_S, PURE = number("WAIT_MS", 20.0) / 1000, number("CPU_MS", 0.0) / 1000, number("PURE_PYTHON", 0, 0, 1)
WAITS = {"constant": lambda: WAIT_S, "exponential": lambda: random.expovariate(1) * WAIT_S}
HOST, DISTRIBUTION = os.environ.get("HOST") or "127.0.0.1", os.environ.get("WAIT_DISTRIBUTION") or "constant"
if DISTRIBUTION not in WAITS:
    refuse(f"WAIT_DISTRIBUTION={DISTRIBUTION:.60}: must be constant or exponential")


class Limited(HttpToolsProtocol):
    head = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.head = 0 if self.cycle and not self.cycle.response_complete else self.head + len(data)
        if self.head > 65_536:  # httptools itself has no limit for the size of a head
            self.transport.close()


async def app(scope: dict[str, Any], _: Any, send: Any) -> None:
    method, path, headers, begin = scope["method"], scope["path"], dict(scope["headers"]), time.perf_counter()
    body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"  # this server reads none
    status = 413 if body else 405 if method not in ("GET", "HEAD") else 200 if path in ("/", "/healthz") else 404
    if status == 200 and path == "/":
        await asyncio.sleep(WAITS[DISTRIBUTION]())  # the I/O: meanwhile the loop serves other requests
        end = time.thread_time() + CPU_S
        while time.thread_time() < end:  # the computing: nothing else happens in this process
            pass
    timing = f"service;dur={(time.perf_counter() - begin) * 1000:.3f}".encode()  # ms
    head = [(b"content-length", b"8"), (b"server-timing", timing), *[(b"connection", b"close")] * (status == 413)]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": b"uvicorn\n"})


try:
    listener = socket.create_server((HOST, PORT), backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it; asyncio sets none for them
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
loop, http = ("asyncio", "h11") if PURE else ("uvloop", Limited)
print(f"uvicorn server, port {PORT}: {loop}, wait {WAIT_S * 1000:g} ms {DISTRIBUTION}, backlog {BACKLOG}", flush=True)
quiet = {"log_level": "critical", "access_log": False, "lifespan": "off", "ws": "none", "timeout_graceful_shutdown": 1}
uvicorn.Server(uvicorn.Config(app, loop=loop, http=http, backlog=BACKLOG, **quiet)).run(sockets=[listener])
