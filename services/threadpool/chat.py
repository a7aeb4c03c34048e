"""Chat server B, thread pool: each connected user takes one of THREADS threads; other users wait for a free thread."""

import logging
import os
import queue
import random
import signal
import socket
import sys
import time
from collections.abc import Iterator

import waitress


def refuse(line: str) -> None:
    print(line.encode("unicode_escape").decode(), file=sys.stderr)  # on one line, whatever the value has
    sys.exit(2)


def number(name: str, default: int, low: int = 1, high: int = 65_535) -> int:
    text = os.environ.get(name) or str(default)  # empty: the default
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and low <= int(text) <= high):
        refuse(f"{name}={text:.60}: must be a whole number from {low} to {high}")
    return int(text)


HOST, PORT, BACKLOG = os.environ.get("HOST") or "127.0.0.1", number("PORT", 8081), number("BACKLOG", 4096)
THREADS, HOLD_S, DEAD_AFTER_S = number("THREADS", 8, 1, 1000), number("HOLD_S", 60), number("DEAD_AFTER_S", 60, 10)
ORIGINS = os.environ.get("ALLOWED_ORIGINS", "").split()  # of other web pages that may send requests
boxes: dict[str, "queue.SimpleQueue[bytes]"] = {}  # of each connected user: the messages to send
seen_s: dict[str, float] = {}  # when each user polled last


def poll(user: str) -> Iterator[bytes]:
    seen_s[user] = time.monotonic()
    box = boxes.setdefault(user, queue.SimpleQueue())  # before the hello: after it, clicks are accepted
    try:
        yield b"hello\n"
        yield box.get(timeout=HOLD_S * random.uniform(0.75, 1.25))  # this thread of the pool waits
    except (queue.Empty, GeneratorExit):  # no message, or the user has disconnected
        boxes.pop(user, None)


def app(environ, start_response):  # type: ignore[no-untyped-def]
    """/poll?N: user N waits; POST /click?N&TEXT is answered to user N, POST /say?TEXT is sent to all users."""
    path, query, posted = environ["PATH_INFO"], environ["QUERY_STRING"], environ["REQUEST_METHOD"] == "POST"
    user, _, text = query.partition("&")
    origin = environ.get("HTTP_ORIGIN", "")
    if origin and not {origin, origin.partition("://")[2]} & {environ.get("HTTP_HOST"), *ORIGINS}:
        start_response("403 Forbidden", [("Content-Length", "0")])
        return []
    latest_s = time.monotonic() - 2 * HOLD_S - DEAD_AFTER_S  # of the last poll of a user that is still there
    for gone in [each for each, at_s in list(seen_s.items()) if at_s < latest_s] if path == "/say" else ():
        boxes.pop(gone, None)
        seen_s.pop(gone, None)
    told = {"/click": [boxes[user]] if user in boxes else [], "/say": list(boxes.values())}
    if not posted and path in ("/poll", "/healthz"):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return poll(user) if path == "/poll" else [b"hello\n"]
    if not posted or path not in told:
        start_response("404 Not Found", [("Content-Length", "0")])
        return []
    letter = f"{text}\n".encode() if path == "/click" else f"news {query}\n".encode()  # one object for all users
    for box in told[path]:
        if box.qsize() < 100:  # a user that does not poll gets no more messages
            box.put(letter)
    start_response("204 No Content" if told[path] else "410 Gone", [("Content-Length", "0")])
    return []


logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # otherwise it logs a line for every queued request
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # waitress would wait for the requests in progress
try:
    server = waitress.create_server(
        app,
        host=HOST,
        port=PORT,
        threads=THREADS,
        backlog=BACKLOG,
        connection_limit=100_000,  # the library's 100 would refuse users unnecessarily
        max_request_body_size=65_536,  # 413 above; the library's 1 GiB would fill the disk before the app is called
        channel_timeout=DEAD_AFTER_S,  # for a connection without a request
        asyncore_use_poll=True,  # select() supports descriptors up to 1023 only
    )
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_S * 800)  # in ms: timers are late
print(f"threadpool chat server, port {PORT}: {THREADS} threads, a poll waits {HOLD_S} s", flush=True)
server.run()
