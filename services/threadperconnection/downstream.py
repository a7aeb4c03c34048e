"""DOWNSTREAM=n: requests wait in the downstream service, each on one of n connections that they share."""

import os
import queue
import socket
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 5.0  # how much longer than asked for an answer may take, and how long connecting may


class Pool:
    """`size` connections; one is opened when a request first takes it, and again after it has failed."""

    def __init__(self, size: int, host: str, port: int) -> None:
        self._address = (host, port)
        self._free: queue.LifoQueue[socket.socket | None] = queue.LifoQueue()  # the last one put back is taken first
        for _ in range(size):
            self._free.put(None)  # not open yet

    def wait(self, seconds: float) -> float:
        """Take a connection, wait on it for `seconds`, put it back; return how long it was until one was free.

        Raises OSError if the downstream service cannot be reached, ends, or does not answer in time.
        """
        begin = time.perf_counter()
        connection = self._free.get()  # the queue of requests for which there is no connection
        queued_s = time.perf_counter() - begin
        try:
            connection = connection or self._opened()
            connection.settimeout(seconds + PATIENCE_S)
            connection.sendall(f"{seconds * 1000:.3f}\n".encode())
            if connection.recv(16) != b"done\n":
                raise ConnectionError("the downstream service has closed the connection")
        except BaseException:
            if connection:
                connection.close()  # an answer that still comes would be taken for that of the next request
            connection = None
            raise
        finally:
            self._free.put(connection)
        return queued_s

    def _opened(self) -> socket.socket:
        try:
            return socket.create_connection(self._address, PATIENCE_S)
        except ValueError as error:
            raise OSError(f"DOWNSTREAM_HOST cannot be a name: {error}") from error


def pool(number: Callable[..., Any]) -> Callable[[float], float] | None:
    """Return what waits in the downstream service; None without DOWNSTREAM. `number` reads a variable."""
    size, port = number("DOWNSTREAM", 0, 0, 1000), number("DOWNSTREAM_PORT", 8094, 1, 65535)
    return Pool(size, os.environ.get("DOWNSTREAM_HOST") or "127.0.0.1", port).wait if size else None
