"""Chat server C without a library: each user is an object with slots; no task, timer or buffer belongs to one user."""

import asyncio
import gc
import os
import signal
import socket
import sys
import time

import lean_heads as heads
from lean_frames import CLOSE, GOING, TEXT, Frames, closing, frame


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
DEAD_AFTER_S, UNREAD, PATIENCE_S = number("DEAD_AFTER_S", 60, 10), 16_384, 10.0  # s, bytes, s
SILENCE = DEAD_AFTER_S // 4, max(1, DEAD_AFTER_S // 20), 400 * DEAD_AFTER_S  # first probe, next probes; ms to the end
INCOMING = memoryview(bytearray(4096))  # each user's bytes are used before the next user's are read
ASKING, TALKING, LEAVING = range(3)


class User(Frames, asyncio.BufferedProtocol):
    """A connection: first a request, then a user that talks, or an answer and the end of the connection."""

    __slots__ = ("step", "transport")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport, self.step = transport, ASKING
        transport.set_write_buffer_limits(UNREAD)
        room.expect(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.leave()
        room.expected.pop(self, None)

    def leave(self) -> None:
        if self.step == TALKING:
            room.users.remove(self)
            if GC_FREEZE and len(room.users) % 1000 == 0:
                gc.unfreeze()
        self.step = LEAVING

    def end(self, last: bytes) -> None:
        """Send the last bytes. What still comes is discarded: closing at once could destroy the answer on its way."""
        self.leave()
        if not self.transport.is_closing():
            room.expect(self)
            self.transport.write(last)
            self.transport.write_eof()

    def pause_writing(self) -> None:
        self.transport.pause_reading()  # a user that does not read is not answered, either

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def get_buffer(self, _: int) -> memoryview:
        return INCOMING

    def buffer_updated(self, size: int) -> None:
        if self.step == TALKING:
            self.talk(bytes(INCOMING[:size]))
        elif self.step == ASKING:
            self.ask(self.rest + INCOMING[:size])

    def ask(self, data: bytes) -> None:
        end = data.find(heads.END, max(0, len(self.rest) - len(heads.END)))
        self.rest = data if end < 0 else b""
        if max(end, len(self.rest)) > heads.MOST:
            self.end(heads.response(431))
        elif end >= 0:
            room.expected.pop(self, None)
            self.step = LEAVING  # one request: what follows it is discarded, unless the user enters
            try:
                self.serve(heads.request(data[:end]), data[end + len(heads.END) :])
            except heads.Refused as refused:
                self.end(heads.response(refused.status, refused.text))

    def serve(self, request: heads.Request, early: bytes) -> None:
        method = {"/ws": "GET", "/say": "POST", "/healthz": "GET"}.get(request.path)
        if request.method != method:
            raise heads.Refused(405 if method else 404)
        if request.path == "/ws":
            self.transport.write(heads.accepted(request.fields) + HELLO)
            room.enter(self)
            self.talk(early)
        elif request.path == "/say":
            room.say(request.query, self)
        else:
            facts = f'{{"users": {len(room.users)}, "longest_pause_s": {room.longest_pause_s:.6f}}}'
            self.end(heads.response(200, facts, "application/json"))

    def talk(self, data: bytes) -> None:
        """Answer frames, with one write for all that arrived together."""
        out = b""
        for kind, payload in self.answers(data):
            if kind == TEXT and JOURNAL:
                os.write(1, payload + b"\n")  # written down before it is acknowledged
            out += frame(kind, payload)
            if kind == CLOSE:
                return self.end(out)
        if out:
            self.transport.write(out)
        return None

    def tell(self, news: bytes) -> None:
        """Send a frame that all users share; a user that does not read must not delay the others."""
        if self.transport.get_write_buffer_size() > UNREAD:
            self.transport.abort()
        elif self.step == TALKING and not self.transport.is_closing():
            self.transport.write(news)


class Room:
    """All users, and the one timer for connections that have to ask, or to end, within PATIENCE_S."""

    def __init__(self) -> None:
        self.users: set[User] = set()
        self.expected: dict[User, float] = {}  # by the time at which it ends, because all have the same patience
        self.timer: asyncio.TimerHandle | None = None
        self.news: set[asyncio.Task[None]] = set()
        self.longest_pause_s = self.pause_began_s = 0.0

    def collecting(self, phase: str, _: object) -> None:
        now_s = time.perf_counter()
        if phase == "start":
            self.pause_began_s = now_s
        self.longest_pause_s = max(self.longest_pause_s, now_s - self.pause_began_s)

    def enter(self, user: User) -> None:
        self.users.add(user)
        user.step = TALKING
        if GC_FREEZE and len(self.users) % 1000 == 0:
            gc.freeze()  # connected users are not garbage: the collector need not scan them again and again

    def expect(self, user: User) -> None:
        loop = asyncio.get_running_loop()
        self.expected.pop(user, None)
        self.expected[user] = loop.time() + PATIENCE_S
        if not self.timer:
            self.timer = loop.call_later(PATIENCE_S, self.sweep)

    def sweep(self) -> None:
        """Close the connections whose time is over, and look again when that of the next one is."""
        loop = asyncio.get_running_loop()
        for user in [user for user, end_s in self.expected.items() if end_s <= loop.time()]:
            user.transport.abort()
            del self.expected[user]
        first_s = next(iter(self.expected.values()), None)
        self.timer = None if first_s is None else loop.call_at(first_s, self.sweep)

    def say(self, text: str, caller: User) -> None:
        task = asyncio.get_running_loop().create_task(self.tell_all(frame(TEXT, f"news {text}".encode()), caller))
        self.news.add(task)  # the loop itself has only a weak reference
        task.add_done_callback(self.news.discard)

    async def tell_all(self, news: bytes, caller: User) -> None:
        for told, user in enumerate(list(self.users), 1):
            user.tell(news)
            if told % 100 == 0:
                await asyncio.sleep(0)  # so that clicks are not delayed by the whole broadcast
        caller.end(heads.response(204))


async def main() -> None:
    """Serve until SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    server = await loop.create_server(User, sock=listener, backlog=BACKLOG)
    await stop.wait()
    server.close()
    for user in [*room.users, *room.expected]:
        user.tell(frame(*closing(GOING)))
        user.transport.abort()
    await asyncio.sleep(0)


HELLO = frame(TEXT, b"hello")
room = Room()
gc.callbacks.append(room.collecting)
gc.freeze()  # the modules are not garbage
try:
    queues = [socket.create_server((HOST, PORT), backlog=BACKLOG, reuse_port=PROCESSES > 1) for _ in range(PROCESSES)]
except (OSError, TypeError, ValueError) as error:  # the last two: HOST cannot be a name
    refuse(f"PORT={PORT}: cannot listen there on HOST={HOST:.60}: {error}")
for listener in queues:  # connections inherit these options
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD)  # otherwise up to net.ipv4.tcp_wmem[2], 4 MiB
    for option, value in zip(("KEEPIDLE", "KEEPINTVL", "USER_TIMEOUT"), SILENCE, strict=True):
        listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{option}"), value)
children: list[int] = []  # the list of a child has a 0 in it
while len(queues) > 1:  # all of them listen by now, so the kernel distributes connections from the first one on
    children.append(os.fork())
    listener = (queues := queues[:-1] if children[-1] else queues[-1:])[0]  # its own; what is dropped is closed
print(f"asyncio chat server without a library, port {PORT}: {PROCESSES} processes, backlog {BACKLOG}", flush=True)
asyncio.run(main())
while children and 0 not in children:
    os.kill(children.pop(), signal.SIGTERM)
