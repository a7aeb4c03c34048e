"""What a server must answer before it is measured."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from iolab.errors import ServerFailed
from iolab.runtime import probe


@contextmanager
def answering(*statuses: int) -> Iterator[tuple[str, int]]:
    """An address where requests are answered with these statuses, one after another, and then with the last one."""
    left = list(statuses)

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield ("127.0.0.1", server.server_port)
        finally:
            server.shutdown()


def test_a_server_is_ready_when_it_answers_200() -> None:
    asked = []
    with answering(500, 404, 200) as address:
        probe.wait_until_ready(address, lambda: asked.append("alive"))
    assert asked == ["alive"] * 2


def test_a_server_that_answers_otherwise_is_never_ready() -> None:
    with answering(503) as address, pytest.raises(ServerFailed, match=r"not ready after 0.1 s \(status 503\)"):
        probe.wait_until_ready(address, lambda: None, timeout_s=0.1)


@pytest.mark.parametrize(("status", "least_s", "why"), [(200, 60.0, "less than its wait"), (500, 0.0, "answered 500")])
def test_a_server_that_does_not_answer_200_or_does_not_wait_is_not_measured(
    status: int, least_s: float, why: str
) -> None:
    with answering(status) as address, pytest.raises(ServerFailed, match=why):
        probe.verify(address, least_s, timeout_s=5.0)


def test_one_that_does_is_measured() -> None:
    with answering(200) as address:
        probe.verify(address, 0.0, timeout_s=5.0)
