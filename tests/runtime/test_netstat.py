import pytest

from iolab.runtime import ListenCounters
from iolab.runtime.netstat import listen_counters

TEXT = """TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits
TcpExt: 0 31 32 7
IpExt: InNoRoutes ListenDrops
IpExt: 5 6
"""


def test_counters_are_found_by_name() -> None:
    assert listen_counters(TEXT) == ListenCounters(overflows=31, drops=32)


@pytest.mark.parametrize(
    "text",
    ["", "TcpExt: A\n", "TcpExt: A B\nTcpExt: 1 2\n", "TcpExt: ListenOverflows ListenDrops\nTcpExt: x y\n", "\0\0"],
)
def test_what_is_not_there_is_none(text: str) -> None:
    assert listen_counters(text) is None
