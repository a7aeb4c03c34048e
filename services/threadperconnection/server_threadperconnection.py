"""Server D, thread per connection: each connection has its own thread for as long as it is open."""

import os
import random
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def refuse(line: str) -> None:
    print(line, file=sys.stderr)
    sys.exit(2)


def number(name: str, default: float, low: float = 0, high: float = 60_000) -> Any:
    """Environment variable `name` (empty: `default`, whose type it takes)."""
    text = os.environ.get(name) or str(default)
    try:
        value = type(default)(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        refuse(f"{name}={text}: must be a{' whole' * isinstance(default, int)} number from {low} to {high}")
    return value


PORT, BACKLOG = number("PORT", 8083, 1, 65535), number("BACKLOG", 128, 1, 65535)
WAIT_S, CPU_S = number("WAIT_MS", 20.0) / 1000, number("CPU_MS", 0.0) / 1000
WAITS = {"constant": lambda: WAIT_S, "exponential": lambda: random.expovariate(1) * WAIT_S}
DISTRIBUTION = os.environ.get("WAIT_DISTRIBUTION") or "constant"
if DISTRIBUTION not in WAITS:
    refuse(f"WAIT_DISTRIBUTION={DISTRIBUTION}: must be constant or exponential")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive: the connection stays open, and its thread exists
    wbufsize = -1  # head and body in one segment: with two, Nagle's algorithm waits 40 ms for a delayed ACK

    def do_GET(self) -> None:
        if (path := self.path.partition("?")[0]) not in ("/", "/healthz"):
            return self.send_error(404)
        if "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0":
            return self.send_error(413)  # a body that is not read would be the next request of the connection
        begin = time.perf_counter()
        if path == "/":
            time.sleep(WAITS[DISTRIBUTION]())  # the I/O: this thread waits, the others go on
            end = time.thread_time() + CPU_S
            while time.thread_time() < end:  # the computing: one thread at a time has the interpreter lock
                pass
        body = b"threadperconnection\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Server-Timing", f"service;dur={(time.perf_counter() - begin) * 1000:.3f}")  # ms
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None: ...  # a log line for each request would be part of the measurement


ThreadingHTTPServer.request_queue_size = BACKLOG
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
try:
    server = ThreadingHTTPServer((os.environ.get("HOST") or "127.0.0.1", PORT), Handler)
except OSError as error:
    refuse(f"PORT={PORT}: {error.strerror}")
print(
    f"threadperconnection server, port {PORT}: wait {WAIT_S * 1e3:g} ms {DISTRIBUTION}, backlog {BACKLOG}", flush=True
)
server.serve_forever()
