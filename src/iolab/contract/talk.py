"""Connections to a server, and its answers; what goes wrong is part of an answer, as words for a student."""

import re
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, RemoteDisconnected

LIMIT_S = 2.0  # for an answer, beyond the wait of its request
STATUS = re.compile(rb"HTTP/1\.\d (\d{3})")


@dataclass(frozen=True)
class Answer:
    """An answer; `status` is None if there is none, and `trouble` says why."""

    status: int | None
    body: bytes = b""
    took_s: float = 0.0
    trouble: str = ""

    @property
    def seen(self) -> str:
        """What a student reads about it."""
        return self.trouble or f"status {self.status}"


@dataclass(frozen=True)
class Rest:
    """All that a server sends until it closes the connection (`closed`), or until a time limit."""

    data: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of each answer, in order."""
        return [int(status) for status in STATUS.findall(self.data)]

    @property
    def seen(self) -> str:
        """What a student reads about it."""
        if self.statuses:
            return " and ".join(f"status {status}" for status in self.statuses)
        if self.data:
            return f"bytes that are not HTTP: {self.data[:40]!r}"
        return "the connection was closed without an answer" if self.closed else f"no answer within {LIMIT_S:g} s"


def request(path: str = "/", method: str = "GET", *head: str) -> bytes:
    """Return a request without a body, with more lines of its head."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: lab", *head, "", "")).encode()


class Talk:
    """A connection to a server, by default on this machine."""

    def __init__(self, port: int, limit_s: float = LIMIT_S, host: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection((host, port), limit_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._limit_s = limit_s

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; a server that has closed the connection already is no error."""
        with suppress(ConnectionError, TimeoutError):
            self._socket.sendall(data)

    def reset(self) -> None:
        """Close with a reset (RST), which discards all that is on its way."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def answer(self, method: str = "GET") -> Answer:
        """Read one answer."""
        begin = time.perf_counter()
        response = HTTPResponse(self._socket, method=method)
        try:
            response.begin()
            body = response.read()
            return Answer(response.status, body, time.perf_counter() - begin)
        except TimeoutError:
            trouble = f"no answer within {self._limit_s:g} s"
        except (ConnectionError, RemoteDisconnected):
            trouble = "the connection was closed without an answer"
        except (HTTPException, ValueError) as error:
            trouble = f"an answer that is not complete HTTP ({type(error).__name__}: {str(error)[:60]})"
        finally:
            response.close()
        return Answer(None, trouble=trouble)

    def rest(self, answers: int = 0) -> Rest:
        """Read until the server closes the connection, the time limit, or this number of answers, if there is one."""
        data, deadline = b"", time.monotonic() + self._limit_s
        with suppress(TimeoutError):
            while (left_s := deadline - time.monotonic()) > 0 and not (0 < answers <= len(STATUS.findall(data))):
                self._socket.settimeout(left_s)
                try:
                    more = self._socket.recv(65_536)
                except ConnectionError:
                    more = b""
                if not more:
                    return Rest(data, closed=True)
                data += more
        return Rest(data, closed=False)


def ask(port: int, path: str = "/", *head: str, wait_s: float = 0.0, host: str = "127.0.0.1") -> Answer:
    """Send one request on a connection of its own, and return the answer; it may wait for `wait_s`."""
    begin = time.perf_counter()
    try:
        with Talk(port, LIMIT_S + wait_s, host) as talk:
            talk.send(request(path, "GET", *head))
            answer = talk.answer()
    except OSError as error:
        return Answer(None, trouble=f"no connection: {error.strerror or 'no answer'}")
    return Answer(answer.status, answer.body, time.perf_counter() - begin, answer.trouble)
