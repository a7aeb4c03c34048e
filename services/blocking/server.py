"""Server A, blocking: one thread serves one request at a time; meanwhile all other requests wait."""

import os
import random
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, NoReturn

import downstream


def refuse(line: str) -> NoReturn:
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


PORT, BACKLOG = number("PORT", 8080, 1, 65535), number("BACKLOG", 5, 1, 65535)  # 5: the library's own
WAIT_S, CPU_S = number("WAIT_MS", 20.0) / 1000, number("CPU_MS", 0.0) / 1000
wait = downstream.pool(number) or time.sleep  # DOWNSTREAM=n: on one of n connections to another service
HOST, DISTRIBUTION = os.environ.get("HOST") or "127.0.0.1", os.environ.get("WAIT_DISTRIBUTION") or "constant"
WAITS = {"constant": lambda: WAIT_S, "exponential": lambda: random.expovariate(1) * WAIT_S}
draw = WAITS.get(DISTRIBUTION) or refuse(f"WAIT_DISTRIBUTION={DISTRIBUTION:.60}: must be constant or exponential")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # keep-alive would let one client hold the only thread
    timeout = 1  # s, for a connection without a request, as browsers open

    def do_GET(self) -> None:
        body = "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0"
        if body or (path := self.path.partition("?")[0]) not in ("/", "/healthz"):
            return self.send_error(413 if body else 404)  # this server reads no bodies
        begin = time.perf_counter()
        if path == "/":
            try:
                begin += wait(draw()) or 0  # the I/O: nothing else happens in this process
            except OSError as error:
                return self.send_error(502, str(error))
            end = time.thread_time() + CPU_S
            while time.thread_time() < end:  # the computing
                pass
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "9")
        self.send_header("Server-Timing", f"service;dur={(time.perf_counter() - begin) * 1000:.3f}")  # ms
        self.end_headers()
        self.wfile.write(b"blocking\n" * (self.command != "HEAD"))

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None: ...  # a log line for each request would be part of the measurement


if __name__ == "__main__":  # servers E and F import this file
    HTTPServer.request_queue_size = BACKLOG
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server = HTTPServer((HOST, PORT), Handler)
    except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
        refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
    print(f"blocking server, port {PORT}: wait {WAIT_S * 1000:g} ms {DISTRIBUTION}, backlog {BACKLOG}", flush=True)
    server.serve_forever()
