"""Server-sent events to any number of pages; a slow page loses messages, and then gets the whole state."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

MOST_WAITING = 256  # messages; a page that reads so slowly cannot be up to date
KEEP_ALIVE_S = 15.0
END = b""


class Reader:
    """The messages that wait for one page."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self._lost = False

    def put(self, message: bytes) -> None:
        """Keep a message for the page; if too many wait, drop all of them."""
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self._drop()
            self._lost = True

    async def get(self) -> bytes:
        """Return the next message; a comment if there is none for a while, so that a dead page is noticed."""
        try:
            return await asyncio.wait_for(self._waiting.get(), KEEP_ALIVE_S)
        except TimeoutError:
            return b": still there\n\n"

    def end(self) -> None:
        """Let the page have no more messages."""
        self._drop()
        self._waiting.put_nowait(END)

    def renewed(self, first: Callable[[], Any]) -> bytes:
        """Return the whole state if messages were lost, b"" if not; what waits until now is part of it."""
        if not self._lost:
            return b""
        self._lost = False
        state = encoded("state", first())
        self._drop()
        return state

    def _drop(self) -> None:
        while not self._waiting.empty():
            self._waiting.get_nowait()


class Audience:
    """The pages that look."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()

    @property
    def size(self) -> int:
        """How many pages look."""
        return len(self._readers)

    def send(self, name: str, content: Any) -> None:
        """Send an event to all pages."""
        if self._readers:
            message = encoded(name, content)
            for reader in self._readers:
                reader.put(message)

    def close(self) -> None:
        """End the messages of all pages."""
        for reader in self._readers:
            reader.end()

    async def messages(self, first: Callable[[], Any]) -> AsyncIterator[bytes]:
        """Yield the messages for one page: `first()` is the whole state, also after lost messages."""
        reader = Reader()
        state = encoded("state", first())
        self._readers.add(reader)  # what `first` sent to the others is part of this page's state
        try:
            yield state
            while True:
                message = await reader.get()
                if message == END:
                    return
                yield reader.renewed(first) or message
        finally:
            self._readers.discard(reader)


def encoded(name: str, content: Any) -> bytes:
    """Return an event in the form of text/event-stream."""
    return f"event: {name}\ndata: {json.dumps(content)}\n\n".encode()
