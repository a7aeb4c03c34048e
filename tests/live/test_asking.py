"""The client that asks a server that is observed: the status of each answer, or why there is none."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from iolab.live import asking

OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def answering(said: bytes, *, close: bool, count: int = 1) -> Iterator[tuple[str, int]]:
    """A server that answers each request with `said`; if not `close`, it keeps connections open to the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        open_ones = []

        def serve() -> None:
            for _ in range(count):
                connection = listener.accept()[0]
                connection.recv(1 << 16)
                connection.sendall(said)
                connection.close() if close else open_ones.append(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[:2]
        thread.join()
        for connection in open_ones:
            connection.close()


@pytest.mark.parametrize(
    ("said", "close", "answer"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", False, "200"),
        (OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", False, "200"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", False, "200"),
        (OK + b"\r\nwithout a length", True, "200"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, "204"),
        (b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", False, "404"),
        (OK + b"Content-Length: 500\r\n\r\nhello", True, "200"),
        (b"-ERR unknown command 'GET'\r\n", True, "the answer is not HTTP"),
        (b"220 mail\r\n\r\n", True, "the answer is not HTTP"),
        (b"", True, "the connection was closed without an answer"),
        (b"x" * 200_000, True, "the answer is not HTTP"),
    ],
)
def test_an_answer_is_its_status_or_why_there_is_none(said: bytes, close: bool, answer: str) -> None:
    """Those that keep the connection open are read to the end of the body, and not to the time limit."""
    began = time.monotonic()
    with answering(said, close=close) as address:
        assert asking.at_once(address, 1, 20) == [answer]
    assert time.monotonic() - began < 15
    assert asking.is_status(answer) == (len(answer) == 3)


def test_a_server_that_says_nothing_or_has_gone_is_no_answer() -> None:
    with answering(b"", close=False) as address:
        assert asking.at_once(address, 1, 0.1) == ["no answer within 0.1 s"]
    assert asking.at_once(address, 1, 5) == ["connection refused"]


def test_an_answer_without_an_end_has_its_status() -> None:
    with answering(OK + b"\r\ndata: 1\n\n", close=False) as address:
        assert asking.at_once(address, 1, 0.1) == ["200"]


def test_all_requests_are_sent_at_once() -> None:
    """Each is answered only when all have arrived."""
    together = threading.Barrier(5, timeout=20)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = listener.accept()[0]
            together.wait()
            connection.recv(1 << 16)
            connection.sendall(OK + b"Content-Length: 0\r\n\r\n")
            connection.close()

        threads = [threading.Thread(target=serve) for _ in range(5)]
        for thread in threads:
            thread.start()
        assert asking.at_once(listener.getsockname()[:2], 5, 20) == ["200"] * 5
        for thread in threads:
            thread.join()
