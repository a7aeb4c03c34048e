"""Users that connect, stay, and click now and then: each a connection and a small object, by WebSocket or long poll.

The code is minimal because one process holds thousands of users and must never be the bottleneck.
"""

import asyncio
import contextlib
import os
import socket
import struct
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

Heard = Callable[["User", str, float], None]
LAST = "Content-Length: 0\r\nConnection: close\r\n"
COMPRESSED, FLUSHED = 0x40, b"\0\0\xff\xff"  # RFC 7692, 7: the bit of a message, and the end that is left out
IP_MINTTL = 21  # linux/in.h; Python has no name for it


class Place:
    """Where the server is, what to call with each message, and the users' own address (empty: any)."""

    def __init__(self, host: str, port: int, source: str, heard: Heard) -> None:
        self.heard = heard
        self._under_way: set[asyncio.Task[None]] = set()
        self.local = (source, 0) if source else None
        self.move(host, port)

    def move(self, host: str, port: int) -> None:
        """Set a new address of the server, which was restarted."""
        self.host, self.port = host, port
        self.head = f"Host: {host}:{port}\r\n"

    def begin(self, what: Coroutine[Any, Any, None]) -> None:
        """Start a task and keep a reference to it: the loop itself has only a weak one."""
        task = asyncio.get_running_loop().create_task(what)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


class User(asyncio.Protocol, ABC):
    """The common part of both kinds of users; times are of the monotonic clock, None: not yet."""

    def __init__(self, place: Place, number: int) -> None:
        self.place, self.number = place, number
        self.arrived_s = time.perf_counter()
        self.connected_s: float | None = None
        self.served_s: float | None = None
        self.transport: asyncio.Transport | None = None
        self.lost_s: float | None = None
        self.refused = self.lost = False
        self.absent = False  # has vanished, or has stopped reading
        self.tries = 0

    @property
    def attentive(self) -> bool:
        """Whether this user can click and reads messages."""
        return self.transport is not None and not self.absent

    async def connect(self) -> None:
        """Connect; a user without a connection is `refused`."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(
                lambda: self, self.place.host, self.place.port, family=socket.AF_INET, local_addr=self.place.local
            )
        except OSError:
            self.gone()

    def gone(self) -> None:
        """Record that there is no connection: a user that was served is lost, any other was refused."""
        self.transport = None
        if self.served_s is None:
            self.refused = True
        elif not self.lost:
            self.lost, self.lost_s = True, time.perf_counter()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        if self.connected_s is None:
            self.connected_s = time.perf_counter()
        self.greet(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self.gone()

    @abstractmethod
    def greet(self, transport: asyncio.Transport) -> None:
        """Send the first request of a user."""

    @abstractmethod
    def click(self, token: str) -> None:
        """Click; the answer is `token`."""

    def tell(self, text: str) -> None:
        """Record a message of the server."""
        now_s = time.perf_counter()
        if self.served_s is None:
            self.served_s = now_s
        self.place.heard(self, text, now_s)

    def vanish(self) -> None:
        """Vanish as if the cable was pulled: packets of the server are dropped, and the connection is not closed."""
        if self.transport:
            self.absent = True
            self.transport.pause_reading()
            drop_everything(self.transport.get_extra_info("socket"))

    def stall(self) -> None:
        """Stop reading, but stay connected, with a small receive buffer."""
        if self.transport:
            self.absent = True
            self.transport.pause_reading()
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)

    def leave(self) -> None:
        """Disconnect at once."""
        if self.transport:
            self.transport.abort()
            self.gone()

    def address(self) -> list[Any]:
        """Return the user's own address and port, by which the server's kernel knows the connection."""
        return list(self.transport.get_extra_info("sockname")) if self.transport else []


class WebSocketUser(User):
    """A user by WebSocket: the part of RFC 6455 that short messages need."""

    buffer = b""
    upgraded = False
    extension = ""  # that the server must agree to

    def greet(self, transport: asyncio.Transport) -> None:
        self.buffer, self.upgraded = b"", False
        key = "aW9sYWIgY3Jvd2QgdXNlcg=="  # any 16 bytes
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        upgrade += f"Sec-WebSocket-Extensions: {self.extension}\r\n" if self.extension else ""
        transport.write(f"GET /ws HTTP/1.1\r\n{self.place.head}{upgrade}Sec-WebSocket-Key: {key}\r\n\r\n".encode())

    def click(self, token: str) -> None:
        if self.transport:
            self.transport.write(frame(0x1, token.encode()))

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data
        if not self.upgraded:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self.buffer = head
                return
            if b" 101 " not in head.partition(b"\r\n")[0] or self.extension.encode() not in head:
                if self.transport:
                    self.transport.abort()
                return
            self.upgraded = True
        while payload := frame_payload(data):
            first, text, data = data[0], data[payload], data[payload.stop :]
            kind = first & 0x0F
            if kind == 0x1:
                self.tell(self.inflated(text) if first & COMPRESSED else text.decode())
            elif kind == 0x9 and self.transport:
                self.transport.write(frame(0xA, text))
        self.buffer = data

    def inflated(self, text: bytes) -> str:
        """Return a compressed message; only an extension allows one."""
        raise ValueError(text)


class CompressingUser(WebSocketUser):
    """A user by WebSocket that offers compression as browsers do, and compresses its clicks (RFC 7692)."""

    extension = "permessage-deflate"

    def greet(self, transport: asyncio.Transport) -> None:
        self.inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        super().greet(transport)

    def click(self, token: str) -> None:
        if self.transport:
            deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)  # a new one for each message: the client stays small
            data = deflate.compress(token.encode()) + deflate.flush(zlib.Z_SYNC_FLUSH)
            self.transport.write(frame(COMPRESSED | 0x1, data.removesuffix(FLUSHED)))

    def inflated(self, text: bytes) -> str:
        """Return a compressed message, which may refer to those before it."""
        return self.inflate.decompress(text + FLUSHED).decode()


class PollUser(User):
    """A user by long poll: polls again when a poll is answered, and clicks on another connection, as browsers do."""

    buffer = b""
    ended = False

    def greet(self, transport: asyncio.Transport) -> None:
        self.buffer, self.ended = b"", False
        transport.write(f"GET /poll?{self.number} HTTP/1.1\r\n{self.place.head}\r\n".encode())

    def click(self, token: str) -> None:
        self.place.begin(self.post(token))

    async def post(self, token: str) -> None:
        """Send a click; the answer arrives through the poll."""
        try:
            reader, writer = await asyncio.open_connection(
                self.place.host, self.place.port, family=socket.AF_INET, local_addr=self.place.local
            )
        except OSError:
            return
        head = f"POST /click?{self.number}&{token} HTTP/1.1\r\n{self.place.head}{LAST}\r\n"
        writer.write(head.encode())
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data
        if not data.startswith(b"HTTP/1.1 200"):
            self.buffer = data
            return
        head, end, body = data.partition(b"\r\n\r\n")
        while end:
            size, line_end, rest = body.partition(b"\r\n")
            if not line_end or len(rest) < int(size, 16) + 2:
                break
            text, body = rest[: int(size, 16)], rest[int(size, 16) + 2 :]
            if not text:
                self.ended = True
                if self.transport and b"connection: close" not in head.lower():
                    self.greet(self.transport)
                return
            for line in text.decode().splitlines():
                self.tell(line)
        self.buffer = head + end + body

    def connection_lost(self, error: Exception | None) -> None:
        if self.ended and error is None:  # a server that closes after each poll: connect again, at the end of the queue
            self.transport = None
            self.place.begin(self.connect())
        else:
            super().connection_lost(error)


KINDS: dict[str, type[User]] = {
    "websocket": WebSocketUser,
    "websocket, compressed": CompressingUser,
    "poll": PollUser,
}


def frame_payload(data: bytes) -> slice | None:
    """Return where the payload of a server's first frame is; None if it is incomplete."""
    begin, size = 2, data[1] & 0x7F if len(data) >= 2 else 0
    if size == 126:
        begin, size = 4, int.from_bytes(data[2:4])
    return slice(begin, begin + size) if len(data) >= begin + size else None


def frame(kind: int, payload: bytes) -> bytes:
    """Return a client's frame: masked, as RFC 6455 (5.3) demands of clients."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return struct.pack("!BB", 0x80 | kind, 0x80 | len(payload)) + mask + masked


def drop_everything(connection: socket.socket) -> None:
    """Make the kernel drop all packets for this socket: to the other end it looks as if this host had disappeared.

    Packets with a time to live below 255, which is the case unless the sender sets it, are silently dropped: RFC 5082,
    IP_MINTTL in linux/in.h. It needs no privileges, unlike a filter (SO_ATTACH_FILTER) on some kernels.
    """
    connection.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)
