"""Users that connect, stay, and click now and then: each a connection and a small object; crowd_transports.py has how.

The code is minimal because one process holds thousands of users and must never be the bottleneck.
"""

import asyncio
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

Heard = Callable[["User", str, float], None]
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
    """The common part of all kinds of users; times are of the monotonic clock, None: not yet."""

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


def drop_everything(connection: socket.socket) -> None:
    """Make the kernel drop all packets for this socket: to the other end it looks as if this host had disappeared.

    Packets with a time to live below 255, which is the case unless the sender sets it, are silently dropped: RFC 5082,
    IP_MINTTL in linux/in.h. It needs no privileges, unlike a filter (SO_ATTACH_FILTER) on some kernels.
    """
    connection.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)
