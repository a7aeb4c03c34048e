"""A log's bytes -> its lines, in constant memory."""

import zlib
from collections.abc import Iterator
from itertools import chain
from typing import Protocol

CHUNK_BYTES = 1 << 18
LONGEST_LINE = 1 << 16  # characters; the rest of a longer line, which no strace writes, is not kept


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        ...


class Lines:
    """Iterates once over the lines of a log; `cut` says afterwards whether the last one lacks its end.

    Reads at most `limit_bytes`: a log that is being written has its size when reading began. Memory is bounded for
    any bytes: of a line longer than LONGEST_LINE the rest is left out. Latin-1 reads any byte; strace writes ASCII, but
    a log that went through Windows may end its lines as that does.
    """

    def __init__(self, stream: Readable, limit_bytes: int | None = None) -> None:
        self._stream, self._left = stream, limit_bytes
        self.bytes = 0
        self.cut = False
        self.damaged: str | None = None

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._batches())

    def _batches(self) -> Iterator[list[str]]:
        tail = ""
        while chunk := self._read():
            self.bytes += len(chunk)
            first, *others = chunk.decode("latin-1").replace("\r\n", "\n").split("\n")
            tail = (tail + first)[:LONGEST_LINE]
            if others:
                yield [tail.removesuffix("\r")]  # its line feed began this chunk
                tail = others.pop()[:LONGEST_LINE]
                yield others
        if tail:
            self.cut = True
            yield [tail]

    def _read(self) -> bytes:
        wanted = CHUNK_BYTES if self._left is None else min(CHUNK_BYTES, self._left)
        try:
            chunk = self._stream.read(wanted) if wanted else b""
        except (
            EOFError,
            OSError,
            ValueError,
            zlib.error,
        ) as error:  # a .gz that ends too soon, or is damaged from here on
            self.damaged = str(error)
            return b""
        if self._left is not None:
            self._left -= len(chunk)
        return chunk
