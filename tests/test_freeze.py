"""A standstill that did not happen is not reported as one."""

import time

import pytest

from iolab.errors import ServerFailed, TrialFailed
from iolab.freeze import standstill
from tests.fakes import FakeServer


class Stubborn(FakeServer):
    """A server that cannot be stopped."""

    def freeze(self) -> None:
        raise ServerFailed("the server's container cannot be stopped")


def server(kind: type[FakeServer] = FakeServer) -> FakeServer:
    return kind(("127.0.0.1", 1), [], "C")


def test_a_standstill_in_the_middle_is_fine() -> None:
    with standstill(server(), 0.01, 0.01):
        time.sleep(0.2)


def test_a_server_that_cannot_be_stopped_gives_no_result() -> None:
    with pytest.raises(ServerFailed, match="cannot be stopped"), standstill(server(Stubborn), 0.01, 0.01):
        time.sleep(0.2)


@pytest.mark.parametrize(("after_s", "for_s"), [(60.0, 2.0), (0.01, 60.0)])
def test_a_load_that_ends_before_gives_no_result(after_s: float, for_s: float) -> None:
    with pytest.raises(TrialFailed, match="the load ended before"), standstill(server(), after_s, for_s):
        time.sleep(0.1)


def test_what_fails_in_the_block_is_the_reason() -> None:
    with pytest.raises(ValueError, match="first"), standstill(server(), 60.0, 2.0):
        raise ValueError("first")
