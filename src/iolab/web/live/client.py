"""One request on a connection of its own, with the moments that a client can see."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

LIMIT_S = 120.0  # of one request: the kernel gives up a connection attempt after about as long
MOST_BYTES = 65_536  # of a response


@dataclass
class Exchange:
    """A request of `user`: moments in seconds of the monotonic clock; None is for an event that did not happen.

    `connected_s` is when the kernel of the server has accepted the connection; the program may do so later.
    """

    user: int
    sent_s: float
    connected_s: float | None = None
    first_s: float | None = None
    done_s: float | None = None
    status: int = 0
    error: str = ""
    number: int = 0
    local_port: int = 0

    @property
    def latency_s(self) -> float | None:
        """The response time of a request that was answered with status 200."""
        return self.done_s - self.sent_s if self.done_s is not None and self.status == 200 else None


Notice = Callable[[Exchange], None]


@dataclass
class _Reader(asyncio.Protocol):
    """Sends the request when the connection is there, and reads until the server closes it."""

    exchange: Exchange
    request: bytes
    notice: Notice
    ended: asyncio.Future[None]
    received: bytearray = field(default_factory=bytearray)
    transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (create_connection makes one)
        self.transport = transport
        self.exchange.connected_s = time.monotonic()
        self.exchange.local_port = transport.get_extra_info("sockname")[1]
        transport.write(self.request)
        self.notice(self.exchange)

    def data_received(self, data: bytes) -> None:
        if self.exchange.first_s is None:
            self.exchange.first_s = time.monotonic()
            self.notice(self.exchange)
        self.received += data
        if len(self.received) > MOST_BYTES and self.transport:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc) if exc else self.ended.set_result(None)


async def ask(address: tuple[str, int], user: int, notice: Notice, limit_s: float = LIMIT_S) -> Exchange:
    """Send GET / and return the exchange; `notice` is called when it is sent, connected, answered (first byte), and
    done.

    A request without a complete answer has status 0 and an `error`.
    """
    loop = asyncio.get_running_loop()
    exchange = Exchange(user, time.monotonic())
    notice(exchange)
    host, port = address
    request = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
    reader = _Reader(exchange, request, notice, loop.create_future())
    try:
        async with asyncio.timeout(limit_s):
            await loop.create_connection(lambda: reader, host, port)
            await reader.ended
        exchange.status = _status(bytes(reader.received))
        exchange.error = "" if exchange.status else "the server closed the connection"
    except TimeoutError:
        exchange.error = f"no answer in {limit_s:g} s"
    except OSError as error:
        exchange.error = error.strerror or type(error).__name__
    finally:
        if reader.transport:
            reader.transport.abort()
        exchange.done_s = time.monotonic()
        notice(exchange)
    return exchange


def _status(answer: bytes) -> int:
    """Return the status of an HTTP response; 0 if it is none."""
    words = answer[:64].split(maxsplit=2)
    return int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit() else 0
