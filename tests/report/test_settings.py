"""Settings as reports say them."""

from iolab.experiment import ServerSettings, Variant
from iolab.report.settings import servers


def test_what_is_varied_is_said_with_all_its_values() -> None:
    assert servers(ServerSettings()) == [
        "wait 20 ms constant",
        "computing 0 ms",
        "listen backlog of each server",
        "8 threads in the pool",
    ]
    vary = (Variant(name="short", backlog=5), Variant(name="long", backlog=128, cpu_ms=5), Variant(name="own"))
    assert servers(ServerSettings(wait_ms=5.5), vary)[:3] == [
        "wait 5.5 ms constant",
        "computing 0 ms or 5 ms",
        "listen backlog 5, 128 or each server's own",
    ]
