"""A standstill that did not happen is not reported as one."""

import threading

import pytest

from iolab.errors import ServerFailed, TrialFailed
from iolab.kinds.freeze.run import standstill
from tests.fakes import FakeServer


class Still(FakeServer):
    """A server that says when it was stopped and let go; a stubborn one cannot be stopped."""

    def __init__(self, *, stubborn: bool = False) -> None:
        super().__init__(("127.0.0.1", 1), [], "C")
        self.asked, self.thawed, self._stubborn = threading.Event(), threading.Event(), stubborn

    def freeze(self) -> None:
        self.asked.set()
        if self._stubborn:
            raise ServerFailed("the server's container cannot be stopped")

    def thaw(self) -> None:
        self.thawed.set()


def test_a_standstill_in_the_middle_is_fine() -> None:
    server = Still()
    with standstill(server, 0.01, 0.01):
        assert server.thawed.wait(10)


def test_a_server_that_cannot_be_stopped_gives_no_result() -> None:
    server = Still(stubborn=True)
    with pytest.raises(ServerFailed, match="cannot be stopped"), standstill(server, 0.01, 0.01):
        assert server.asked.wait(10)


def test_a_load_that_ends_before_the_standstill_gives_no_result() -> None:
    server = Still()
    with pytest.raises(TrialFailed, match="the load ended before"), standstill(server, 60.0, 2.0):
        pass
    assert not server.asked.is_set()


def test_a_load_that_ends_during_the_standstill_gives_no_result_and_the_server_goes_on() -> None:
    server = Still()
    with pytest.raises(TrialFailed, match="the load ended before"), standstill(server, 0.01, 60.0):
        assert server.asked.wait(10)
        assert not server.thawed.is_set()
    assert server.thawed.is_set()


def test_what_fails_in_the_block_is_the_reason() -> None:
    with pytest.raises(ValueError, match="first"), standstill(Still(), 60.0, 2.0):
        raise ValueError("first")
