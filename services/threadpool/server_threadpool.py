"""Server B, thread pool: THREADS threads, started in advance, share the work; other requests wait in a queue."""

import logging
import os
import random
import signal
import sys
import time
from typing import Any, NoReturn

import downstream
import waitress


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


PORT, BACKLOG = number("PORT", 8081, 1, 65535), number("BACKLOG", 1024, 1, 65535)  # 1024: the library's own
WAIT_S, CPU_S, THREADS = number("WAIT_MS", 20.0) / 1000, number("CPU_MS", 0.0) / 1000, number("THREADS", 8, 1, 1000)
wait = downstream.pool(number) or time.sleep  # DOWNSTREAM=n: on one of n connections to another service
HOST, DISTRIBUTION = os.environ.get("HOST") or "127.0.0.1", os.environ.get("WAIT_DISTRIBUTION") or "constant"
WAITS = {"constant": lambda: WAIT_S, "exponential": lambda: random.expovariate(1) * WAIT_S}
draw = WAITS.get(DISTRIBUTION) or refuse(f"WAIT_DISTRIBUTION={DISTRIBUTION:.60}: must be constant or exponential")


def app(environ, start_response):  # type: ignore[no-untyped-def]
    status, path, begin = "200 OK", environ["PATH_INFO"], time.perf_counter()
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        status = "405 Method Not Allowed"
    elif path == "/":
        try:
            begin += wait(draw()) or 0  # the I/O: this thread of the pool waits, the others go on
        except OSError:  # the downstream service has failed
            status = "502 Bad Gateway"
        end = time.thread_time() + CPU_S
        while time.thread_time() < end:  # the computing: one thread at a time has the interpreter lock
            pass
    elif path != "/healthz":
        status = "404 Not Found"
    timing = ("Server-Timing", f"service;dur={(time.perf_counter() - begin) * 1000:.3f}")  # ms
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", "11"), timing])
    return [b"threadpool\n" * (environ["REQUEST_METHOD"] != "HEAD")]


logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # otherwise it logs a line for every queued request
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # waitress would wait for the requests in progress
try:
    server = waitress.create_server(
        app,
        host=HOST,
        port=PORT,
        backlog=BACKLOG,
        threads=THREADS,
        connection_limit=number("CONNECTION_LIMIT", 10_000, 3, 65535),  # the library's 100: a queue before the pool
        max_request_body_size=1,  # 413 for any body; the library's 1 GiB would fill the disk before the app is called
        asyncore_use_poll=True,  # select() supports descriptors up to 1023 only
    )
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
waits = f"wait {WAIT_S * 1000:g} ms {DISTRIBUTION}"
print(f"threadpool server, port {PORT}: {waits}, {THREADS} threads, backlog {BACKLOG}", flush=True)
server.run()
