"""Chat server C by long poll: each connected user is a request that the event loop has not answered yet."""

import asyncio
import gc
import os
import random
import socket
import sys
from weakref import WeakValueDictionary

from aiohttp import web
from refusals import checked


def refuse(line: str) -> None:
    print(line.encode("unicode_escape").decode(), file=sys.stderr)  # on one line, whatever the value has
    sys.exit(2)


def number(name: str, default: int, low: int = 1, high: int = 65_535) -> int:
    text = os.environ.get(name) or str(default)  # empty: the default
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and low <= int(text) <= high):
        refuse(f"{name}={text:.60}: must be a whole number from {low} to {high}")
    return int(text)


HOST, PORT, BACKLOG = os.environ.get("HOST") or "127.0.0.1", number("PORT", 8082), number("BACKLOG", 4096)
HOLD_S, DEAD_AFTER_S, JOURNAL = number("HOLD_S", 60), number("DEAD_AFTER_S", 60, 10), number("JOURNAL", 0, 0, 1)


class Box:  # the messages for a user
    def __init__(self) -> None:
        self.letters, self.waiter = [], None

    def put(self, letter: str) -> None:
        self.letters += [letter] * (len(self.letters) < 100)  # a user that does not poll gets no more messages
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)


connections: "dict[asyncio.Task[None], Box]" = {}  # each connection has a task, and a box as long as the task
boxes: "WeakValueDictionary[str, Box]" = WeakValueDictionary()


async def poll(request: web.Request) -> web.StreamResponse:
    if checked(request).task not in connections:
        connections[request.task] = Box()
        request.task.add_done_callback(connections.pop)
    boxes[request.query_string] = box = connections[request.task]
    await (answer := web.StreamResponse()).prepare(request)  # in chunks
    await answer.write(b"hello\n")
    if not box.letters:
        box.waiter = asyncio.get_running_loop().create_future()
        await asyncio.wait([box.waiter], timeout=HOLD_S * random.uniform(0.75, 1.25))  # the thread serves others
    letters, box.letters = box.letters, []  # before the write, which may wait: later messages are for the next poll
    await answer.write("".join(letters).encode())
    return answer


async def click(request: web.Request) -> web.Response:
    user, _, text = checked(request).query_string.partition("&")
    if box := boxes.get(user):
        if JOURNAL:
            os.write(1, f"{text}\n".encode())  # written down before it is acknowledged
        box.put(f"{text}\n")
    return web.Response(status=204 if box else 410, headers={"Connection": "close"})


async def say(request: web.Request) -> web.Response:
    news = f"news {checked(request).query_string}\n"  # one object for all users, also those that do not poll
    for box in list(boxes.values()):
        box.put(news)
    return web.Response(status=204)


async def healthz(request: web.Request) -> web.Response:
    return web.json_response({"users": len(boxes)}, status=413 if request.body_exists else 200)


if number("GC_FREEZE", 1, 0, 1):
    gc.set_threshold(700, 10, 10_000)  # connected users are not garbage: scan all of them far less often
app = web.Application()
app.add_routes([web.get("/poll", poll), web.post("/click", click), web.post("/say", say), web.get("/healthz", healthz)])
try:
    listener = socket.create_server((HOST, PORT), backlog=BACKLOG)
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # connections inherit this option and the following ones
listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)  # otherwise up to net.ipv4.tcp_wmem[2], 4 MiB
silence = DEAD_AFTER_S // 4, max(1, DEAD_AFTER_S // 20), 400 * DEAD_AFTER_S  # first probe, next probes; ms to the end
for option, value in zip(("KEEPIDLE", "KEEPINTVL", "USER_TIMEOUT"), silence, strict=True):
    listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{option}"), value)
print(f"asyncio chat server, port {PORT}: a poll waits {HOLD_S} s, backlog {BACKLOG}", flush=True)
quiet = {"print": None, "access_log": None, "shutdown_timeout": 0.5, "handler_cancellation": True}
web.run_app(app, sock=listener, backlog=BACKLOG, keepalive_timeout=DEAD_AFTER_S, **quiet)  # of one without polls
