"""How users talk to a chat server: by WebSocket, without or with compression, or by long poll."""

import asyncio
import contextlib
import os
import socket
import struct
import zlib

from crowd_users import User

LAST = "Content-Length: 0\r\nConnection: close\r\n"
COMPRESSED, FLUSHED = 0x40, b"\0\0\xff\xff"  # RFC 7692, 7: the bit of a message, and the end that is left out


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
