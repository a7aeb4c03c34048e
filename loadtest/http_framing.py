"""Where an HTTP/1.1 response ends: bytes in, status and end out, without a socket.

Framing is that of RFC 9112, sections 6 and 7: a response without a body (1xx, 204, 304, or to HEAD), chunks,
Content-Length, or all bytes until the server closes the connection. The result does not depend on how the bytes are
split.
"""

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_HEAD: Final = 64 * 1024  # bytes of the status line and the headers, and of the trailers
MOST_LINE: Final = 4096  # bytes of the line before a chunk
NO_BODY: Final = frozenset((204, 304))
SWITCHED: Final = 101  # protocols: no request here asks for it

FIELD: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*"
HEADER: Final = re.compile(FIELD)
HEAD: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?(?:\r\n" + FIELD + rb")*")
USED: Final = re.compile(
    rb"\r\n(Connection|Content-Length|Transfer-Encoding|Server-Timing):[ \t]*([^\r\n]*)", re.IGNORECASE
)
PROCESS: Final = re.compile(rb"(?:^|, )process;desc=([0-9]{1,6})(?:,|$)")
LENGTH: Final = re.compile(rb"[0-9]{1,15}")
CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?")


class FramingError(Exception):
    """The bytes are no response that can be used; `kind` is the word for it in rows."""

    kind = "bad response"


class TooLarge(FramingError):
    """The response is larger than the limit."""

    kind = "too large"


class Response:
    """One response, read piece by piece.

    `feed` takes bytes as they arrive and returns whether the response is complete, `end` says that the server has
    closed the connection. Both raise FramingError. `status` is 0 before the headers are complete. After the end,
    `reusable` is whether the connection can take another request.
    """

    __slots__ = ("_buffer", "_left", "_most", "_step", "_total", "complete", "headers", "keep", "status")

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = b""
        self._total = 0
        self._left = 0
        # The function and not the bound method, which would be a cycle: the garbage collector rests during a plan.
        self._step: Callable[[Response], bool] = Response._head
        self.complete = self.keep = False
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    @property
    def begun(self) -> bool:
        """Whether a byte of it has arrived."""
        return self._total > 0

    @property
    def reusable(self) -> bool:
        """Whether the connection stays open, and nothing was sent after the response."""
        return self.complete and self.keep and not self._buffer

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; return whether the response is complete. No byte beyond the limit is looked at."""
        room = self._most - self._total
        self._total += len(data)
        if self.complete:
            self.keep = False
            return True
        self._buffer = self._buffer + data[:room] if self._buffer else data[:room]
        while not self.complete and self._step(self):
            pass
        if len(data) > room:
            self.keep = False
            if not self.complete:
                raise TooLarge(f"more than {self._most:,} bytes")
        return self.complete

    def end(self) -> bool:
        """Return whether the response is complete, now that the server has closed the connection."""
        self.complete = self.complete or self._step is Response._until_closed
        return self.complete

    def service_s(self) -> float:
        """Return the service time in the header Server-Timing, in seconds, or -1."""
        _, _, told = self.headers.get(b"server-timing", b"").partition(b"service;dur=")
        try:
            seconds = float(told.partition(b",")[0]) / 1000
        except ValueError:
            return -1.0
        return seconds if 0 <= seconds < 1e9 else -1.0

    def process(self) -> int:
        """Return which of the server's processes served the request, as the same header says, or -1."""
        found = PROCESS.search(self.headers.get(b"server-timing", b""))
        return int(found[1]) if found else -1

    # Each step takes what it can from the buffer, and returns whether another step can follow at once.

    def _head(self) -> bool:
        """Read the status line and the headers; those of a 1xx are read and forgotten."""
        if not self._buffer.startswith(b"HTTP/1."[: len(self._buffer)]):
            raise FramingError(f"no status line: {self._buffer[:40]!r}")
        end = self._buffer.find(b"\r\n\r\n")
        if end > MOST_HEAD or (end < 0 and len(self._buffer) >= MOST_HEAD + 4):
            raise TooLarge(f"headers of more than {MOST_HEAD:,} bytes")
        if end < 0:
            return False
        head = self._buffer[:end]
        match = HEAD.fullmatch(head)
        if not match:
            raise FramingError(f"no status line and headers: {head[:40]!r}")
        self._buffer = self._buffer[end + 4 :]
        minor, status = match[1], int(match[2])
        if status == SWITCHED:
            raise FramingError("it changes to another protocol")
        if status < 200:
            return True
        self.status = status
        for name, value in USED.findall(head):
            key = name.lower()
            self.headers[key] = self.headers[key] + b", " + value.strip() if key in self.headers else value.strip()
        self._frame(minor)
        return True

    def _frame(self, minor: bytes) -> None:
        """Find out how the body ends."""
        headers = self.headers
        options = headers.get(b"connection", b"").lower()
        self.keep = (b"close" not in options) if minor == b"1" else (b"keep-alive" in options)
        coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
        if self.status in NO_BODY:
            self.complete = True
        elif coding is not None:
            if minor == b"0":
                raise FramingError("chunks in HTTP/1.0")
            if length is not None:
                self.keep = False  # RFC 9112, 6.3: an attempt to smuggle, perhaps
            chunked = coding.lower().rpartition(b",")[2].strip() == b"chunked"
            self._step = Response._chunk_line if chunked else Response._until_closed
        elif length is not None:
            self._left = _length(length)
            if self._left > self._most:
                raise TooLarge(f"Content-Length: {self._left}")
            self._step = Response._counted
        else:
            self._step = Response._until_closed
        if self._step is Response._until_closed:
            self.keep = False

    def _counted(self) -> bool:
        """Skip the bytes that Content-Length counts."""
        taken = min(self._left, len(self._buffer))
        self._left -= taken
        self._buffer = self._buffer[taken:]
        self.complete = self._left == 0
        return False

    def _until_closed(self) -> bool:
        self._buffer = b""
        return False

    def _chunk_line(self) -> bool:
        """Read the size of a chunk, and skip its extensions."""
        line = self._line(MOST_LINE)
        if line is None:
            return False
        match = CHUNK.fullmatch(line)
        if not match:
            raise FramingError(f"no size of a chunk: {line[:40]!r}")
        self._left = int(match[1], 16)
        if self._left > self._most:
            raise TooLarge(f"a chunk of {self._left} bytes")
        self._step = Response._chunk if self._left else Response._trailer
        return True

    def _chunk(self) -> bool:
        """Skip the bytes of a chunk, and the end of line behind them."""
        taken = min(self._left, len(self._buffer))
        self._left -= taken
        self._buffer = self._buffer[taken:]
        if self._left or len(self._buffer) < 2:
            if self._buffer not in (b"", b"\r"):
                raise FramingError("a chunk is longer than its size")
            return False
        if not self._buffer.startswith(b"\r\n"):
            raise FramingError("a chunk is longer than its size")
        self._buffer = self._buffer[2:]
        self._step = Response._chunk_line
        return True

    def _trailer(self) -> bool:
        """Read trailers until an empty line."""
        line = self._line(MOST_HEAD)
        if line is None:
            return False
        if line and not HEADER.fullmatch(line):
            raise FramingError(f"no trailer: {line[:40]!r}")
        self.complete = not line
        return True

    def _line(self, most: int) -> bytes | None:
        """Take one line from the buffer; None if it is not complete."""
        end = self._buffer.find(b"\r\n")
        if end > most or (end < 0 and len(self._buffer) >= most + 2):
            raise FramingError(f"a line of more than {most:,} bytes")
        if end < 0:
            return None
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line


def _length(value: bytes) -> int:
    """Return a Content-Length; several that are equal count as one (RFC 9112, 6.3)."""
    values = {each.strip() for each in value.split(b",")}
    if len(values) != 1 or not LENGTH.fullmatch(first := values.pop()):
        raise FramingError(f"Content-Length: {value[:40]!r}")
    return int(first)
