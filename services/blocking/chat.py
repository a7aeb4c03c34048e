"""Chat server A, blocking: its only thread waits with the first user; all other connections wait in the queue."""

import os
import queue
import random
import signal
import socket
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer


def refuse(line: str) -> None:
    print(line.encode("unicode_escape").decode(), file=sys.stderr)  # on one line, whatever the value has
    sys.exit(2)


def number(name: str, default: int, low: int = 1, high: int = 65_535) -> int:
    text = os.environ.get(name) or str(default)  # empty: the default
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and low <= int(text) <= high):
        refuse(f"{name}={text:.60}: must be a whole number from {low} to {high}")
    return int(text)


HOST, PORT, BACKLOG = os.environ.get("HOST") or "127.0.0.1", number("PORT", 8080), number("BACKLOG", 4096)
HOLD_S, DEAD_AFTER_S, JOURNAL = number("HOLD_S", 60), number("DEAD_AFTER_S", 60, 10), number("JOURNAL", 0, 0, 1)
ORIGINS = os.environ.get("ALLOWED_ORIGINS", "").split()  # of other web pages that may send requests
boxes: dict[str, "queue.SimpleQueue[str]"] = {}  # of each connected user: the messages to send


class Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm, user, box = "HTTP/1.1", True, "", None
    timeout = 1  # s, for a connection without a request

    def parse_request(self) -> bool:  # a body that is not read would be the next request of the connection
        if good := super().parse_request():
            origin, length = self.headers.get("Origin", ""), self.headers.get("Content-Length", "0")
            foreign = origin and not {origin, origin.partition("://")[2]} & {self.headers["Host"], *ORIGINS}
            if foreign or length != "0" or "Transfer-Encoding" in self.headers:
                self.close_connection, good = True, False
                self.send_error(403 if foreign else 413)
        return good

    def do_GET(self) -> None:  # /poll?N: user N waits here for a message, at most about HOLD_S
        path, _, user = self.path.partition("?")
        if path not in ("/poll", "/healthz"):
            return self.send_error(404)
        if path == "/poll":  # before the hello: after it, clicks are accepted
            self.user, self.box = user, self.box or queue.SimpleQueue()
            boxes[user] = self.box  # replaces the box of an older connection of this user
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")  # otherwise no other connection would be served
        self.end_headers()
        self.chunk("hello\n")
        if path == "/poll":
            with suppress(queue.Empty):
                self.chunk(self.box.get(timeout=HOLD_S * random.uniform(0.75, 1.25)))  # the thread waits, too
        self.chunk("")

    def do_POST(self) -> None:  # /click?N&TEXT is answered to user N, /say?TEXT is sent to all users
        path, _, query = self.path.partition("?")
        user, _, text = query.partition("&")
        if path not in ("/click", "/say"):
            return self.send_error(404)
        told = list(boxes.values()) if path == "/say" else [box for box in [boxes.get(user)] if box]
        letter = f"{text}\n" if path == "/click" else f"news {query}\n"  # one object for all users: saves memory
        if JOURNAL and path == "/click" and told:
            os.write(1, letter.encode())  # written down before it is acknowledged
        for box in (each for each in told if each.qsize() < 100):  # a user that does not poll gets no more messages
            box.put(letter)
        self.send_response(204 if told else 410)
        self.send_header("Connection", "close")
        self.end_headers()

    def chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())

    def finish(self) -> None:
        if boxes.get(self.user) is self.box:
            boxes.pop(self.user, None)
        super().finish()

    def log_message(self, *_: object) -> None: ...  # a log line for each request would be part of the measurement


HTTPServer.request_queue_size = BACKLOG
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
try:
    server = HTTPServer((HOST, PORT), Handler)
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_S * 800)  # in ms: timers are late
print(f"blocking chat server, port {PORT}: a poll waits {HOLD_S} s, backlog {BACKLOG}", flush=True)
server.serve_forever()
