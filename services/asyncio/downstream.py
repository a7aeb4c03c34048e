"""DOWNSTREAM=n: requests wait in the downstream service, each on one of n connections that they share."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE_S = 5.0  # how much longer than asked for an answer may take, and how long connecting may
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Pool:
    """`size` connections; one is opened when a request first takes it, and again after it has failed."""

    def __init__(self, size: int, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._free: asyncio.LifoQueue[Connection | None] = asyncio.LifoQueue()  # the last one put back is taken first
        for _ in range(size):
            self._free.put_nowait(None)  # not open yet

    async def wait(self, seconds: float) -> float:
        """Take a connection, wait on it for `seconds`, put it back; return how long it was until one was free.

        Raises OSError if the downstream service cannot be reached, ends, or does not answer in time.
        """
        begin = time.perf_counter()
        connection = await self._free.get()  # the queue of requests for which there is no connection
        queued_s = time.perf_counter() - begin
        try:
            async with asyncio.timeout(seconds + PATIENCE_S):
                connection = connection or await self._opened()
                reader, writer = connection
                writer.write(f"{seconds * 1000:.3f}\n".encode())
                if await reader.readline() != b"done\n":
                    raise ConnectionError("the downstream service has closed the connection")
        except BaseException:  # also if the request is cancelled
            if connection:
                connection[1].close()  # an answer that still comes would be taken for that of the next request
            connection = None
            raise
        finally:
            self._free.put_nowait(connection)
        return queued_s

    async def _opened(self) -> Connection:
        try:
            return await asyncio.open_connection(self._host, self._port)
        except ValueError as error:
            raise OSError(f"DOWNSTREAM_HOST cannot be a name: {error}") from error


def pool(number: Callable[..., Any]) -> Callable[[float], Awaitable[float]] | None:
    """Return what waits in the downstream service; None without DOWNSTREAM. `number` reads a variable."""
    size, port = number("DOWNSTREAM", 0, 0, 1000), number("DOWNSTREAM_PORT", 8094, 1, 65535)
    return Pool(size, os.environ.get("DOWNSTREAM_HOST") or "127.0.0.1", port).wait if size else None
