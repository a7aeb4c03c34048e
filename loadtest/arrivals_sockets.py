"""Sockets of the client for planned arrivals: the target, its connections, and waiting for any of them."""

import contextlib
import errno
import select
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from http_framing import Response

READ_BYTES: Final = 16 * 1024
READABLE, WRITABLE, BROKEN = select.POLLIN, select.POLLOUT, select.POLLERR | select.POLLHUP
FULL: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN))
KINDS: Final = {
    errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset", errno.EPIPE: "reset", errno.ECONNABORTED: "reset",
    errno.ETIMEDOUT: "timeout",
}  # fmt: skip


def kind_of(number: int | None) -> str:
    """Return the word for an error number of a socket."""
    return KINDS.get(number or 0, "no connection")


class NoRoom(Exception):
    """No connection more can be opened: the limit of open files or of ports is met."""


@dataclass(frozen=True)
class Target:
    """A server: its address, and the request, rendered once."""

    family: int
    address: tuple[Any, ...]
    request: bytes

    @classmethod
    def of(cls, url: str) -> "Target":
        """Look up the address of an http URL once; raises ValueError if that is not possible."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url} is no address such as http://127.0.0.1:8080")
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ValueError(f"{url}: {error.strerror}") from error
        family, *_, address = found[0]
        request = (
            f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: iolab\r\nAccept: */*\r\n\r\n"
        )
        return cls(family, address, request.encode("ascii"))


class Connection:
    """A connection, and the request that is under way on it: `response` is None if there is none.

    `unsent` are the bytes that the kernel has not taken yet; `used` is whether an earlier request was answered on it.
    """

    __slots__ = ("fd", "first_s", "planned_s", "resent", "response", "sent", "socket", "unsent", "used")

    def __init__(self, target: Target) -> None:
        """Begin to connect; raises NoRoom, or OSError if that fails at once."""
        try:
            self.socket = socket.socket(target.family, socket.SOCK_STREAM)
        except OSError as error:
            raise NoRoom from error
        self.socket.setblocking(False)
        number = self.socket.connect_ex(target.address)
        if number not in (0, errno.EINPROGRESS):
            self.socket.close()
            if number in FULL:
                raise NoRoom
            raise OSError(number, "connect")
        self.fd = self.socket.fileno()
        self.response: Response | None = None
        self.unsent = target.request
        self.used = self.resent = False
        self.planned_s = self.sent = 0.0
        self.first_s = -1.0

    def push(self) -> None:
        """Send what is unsent, as far as the kernel takes it; raises OSError."""
        with contextlib.suppress(BlockingIOError):
            self.unsent = self.unsent[self.socket.send(self.unsent) :]

    def read(self) -> bytes:
        """Return what has arrived; empty at the end. Raises BlockingIOError if nothing has, or OSError."""
        return self.socket.recv(READ_BYTES)

    def error(self) -> int:
        """Return the error number of a connection that failed, and clear it."""
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


class Poller:
    """Waits for sockets: epoll, or poll where there is no epoll.

    epoll counts its timeout in milliseconds. select counts in microseconds and can wait for an epoll, but not for
    thousands of sockets. poll is late by up to a millisecond, which shows in the lateness.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._set = self._epoll or select.poll()
        self.register, self.modify, self.unregister = self._set.register, self._set.modify, self._set.unregister

    def ready(self) -> list[tuple[int, int]]:
        """Return what is ready now: descriptors and masks."""
        return self._set.poll(0)

    def wait(self, pause_s: float) -> None:
        """Return when something is ready, or after the pause."""
        if self._epoll:
            select.select([self._epoll], [], [], pause_s)
        else:
            self._set.poll(pause_s * 1000)

    def close(self) -> None:
        """Close it."""
        if self._epoll:
            self._epoll.close()
