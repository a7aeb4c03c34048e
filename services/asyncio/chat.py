"""Chat server C, asyncio: each connected user is a socket and a small object; one thread waits for all of them."""

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from contextlib import suppress

from aiohttp import WSCloseCode, web
from refusals import checked, guarded


def refuse(line: str) -> None:
    print(line.encode("unicode_escape").decode(), file=sys.stderr)  # on one line, whatever the value has
    sys.exit(2)


def number(name: str, default: int, low: int = 1, high: int = 65_535) -> int:
    text = os.environ.get(name) or str(default)  # empty: the default
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and low <= int(text) <= high):
        refuse(f"{name}={text:.60}: must be a whole number from {low} to {high}")
    return int(text)


HOST, PORT, BACKLOG = os.environ.get("HOST") or "127.0.0.1", number("PORT", 8082), number("BACKLOG", 4096)
PROCESSES, GC_FREEZE, JOURNAL = number("PROCESSES", 1, 1, 64), number("GC_FREEZE", 1, 0, 1), number("JOURNAL", 0, 0, 1)
DEAD_AFTER_S, UNREAD, COMPRESS = number("DEAD_AFTER_S", 60, 10), 16_384, number("COMPRESS", 0, 0, 1)  # s, bytes, bool
SILENCE = DEAD_AFTER_S // 4, max(1, DEAD_AFTER_S // 20), 400 * DEAD_AFTER_S  # first probe, next probes; ms to the end
sockets: dict[web.WebSocketResponse, asyncio.Transport] = {}
pauses_s = [0.0, 0.0]  # the longest garbage collection, and when the last one began


def collecting(phase: str, _: object) -> None:
    now = time.perf_counter()
    pauses_s[:] = (pauses_s[0], now) if phase == "start" else (max(pauses_s[0], now - pauses_s[1]), now)


async def chat(request: web.Request) -> web.WebSocketResponse:
    talk = web.WebSocketResponse(compress=bool(COMPRESS), max_msg_size=1024)
    await talk.prepare(checked(request))
    sockets[talk] = request.transport
    if GC_FREEZE and len(sockets) % 1000 == 0:
        gc.freeze()  # connected users are not garbage: the collector need not scan them again and again
    try:
        await talk.send_str("hello")
        while isinstance(text := (await talk.receive()).data, str):  # meanwhile, the thread serves others
            if JOURNAL:
                os.write(1, f"{text}\n".encode())  # written down before it is acknowledged
            await talk.send_str(text)
    finally:
        del sockets[talk]
        if GC_FREEZE and len(sockets) % 1000 == 0:
            gc.unfreeze()
    await talk.close(code=WSCloseCode.UNSUPPORTED_DATA)  # a binary message; otherwise it is closed already
    return talk


async def say(request: web.Request) -> web.Response:
    for told, (talk, transport) in enumerate(list(sockets.items()), 1):
        if transport.get_write_buffer_size() > UNREAD:
            transport.abort()  # a user that does not read must not delay the others
        with suppress(ConnectionError):
            await talk.send_str(f"news {request.query_string}")
        if told % 100 == 0:
            await asyncio.sleep(0)  # so that clicks are not delayed by the whole broadcast
    return web.Response(status=204)


async def healthz(_: web.Request) -> web.Response:
    return web.json_response({"users": len(sockets), "longest_pause_s": pauses_s[0]})


gc.callbacks.append(collecting)
gc.freeze()  # the modules are not garbage
app, children = web.Application(), list[int]()  # the list of a child has a 0 in it
app.add_routes([web.get("/ws", chat), web.post("/say", guarded(say)), web.get("/healthz", guarded(healthz))])
try:
    queues = [socket.create_server((HOST, PORT), backlog=BACKLOG, reuse_port=PROCESSES > 1) for _ in range(PROCESSES)]
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
for listener in queues:  # connections inherit these options
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD)  # otherwise up to net.ipv4.tcp_wmem[2], 4 MiB
    for option, value in zip(("KEEPIDLE", "KEEPINTVL", "USER_TIMEOUT"), SILENCE, strict=True):
        listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{option}"), value)
while len(queues) > 1:  # all of them listen by now, so the kernel distributes connections from the first one on
    children.append(os.fork())
    listener = (queues := queues[:-1] if children[-1] else queues[-1:])[0]  # its own; what is dropped is closed
print(f"asyncio chat server, port {PORT}: WebSocket, {PROCESSES} processes, backlog {BACKLOG}", flush=True)
web.run_app(app, sock=listener, backlog=BACKLOG, print=None, access_log=None, shutdown_timeout=0.5)
while children and 0 not in children:
    os.kill(children.pop(), signal.SIGTERM)
