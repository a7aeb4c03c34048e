"""What server and load generator used in all repeats of a cell: a part that is not known makes the sum unknown."""

from datetime import UTC, datetime
from typing import Any

from iolab.kinds.closed import usage
from iolab.kinds.closed.records import ClosedRecord
from iolab.results.records import ClientUsage, ServerUsage


def trials(*used: tuple[dict[str, Any], dict[str, Any]]) -> list[ClosedRecord]:
    """Return a trial for each (server's, client's) use of resources."""
    return [
        ClosedRecord(
            index=repeat, repeat=repeat, model="A", service="blocking", concurrency=4, cpus=1.0, requested=200,
            sent=200, ok=200, errors=0, started=datetime.now(UTC), duration_s=4.0, valid=True, reason=None,
            server=ServerUsage(**server), client=ClientUsage(**client),
        )
        for repeat, (server, client) in enumerate(used)
    ]  # fmt: skip


SERVER = {
    "cpu_s": 0.5, "throttled_s": 0.25, "threads_peak": 9, "rss_peak_bytes": 1000, "listen_overflows": 3,
    "listen_drops": 4, "syn_cookies": 5, "full_queue_cookies": 6,
}  # fmt: skip
CLIENT = {"cpu_s": 0.125, "ceiling_rps": 50_000.0, "syn_retransmits": 7, "timeouts": 8, "busiest_share": 0.5}


def test_what_is_counted_is_summed_and_peaks_are_the_highest() -> None:
    more = {**SERVER, "threads_peak": 8, "rss_peak_bytes": 1100}
    both = trials((SERVER, CLIENT), (more, {**CLIENT, "ceiling_rps": 40_000.0, "busiest_share": 0.75}))
    assert usage.server(both) == ServerUsage(
        cpu_s=1.0, throttled_s=0.5, threads_peak=9, rss_peak_bytes=1100, listen_overflows=6, listen_drops=8,
        syn_cookies=10, full_queue_cookies=12,
    )  # fmt: skip
    assert usage.client(both) == ClientUsage(
        cpu_s=0.25, ceiling_rps=50_000.0, syn_retransmits=14, timeouts=16, busiest_share=0.75
    )


def test_a_sum_with_an_unknown_part_is_unknown_and_a_peak_is_the_highest_that_is_known() -> None:
    some = trials((SERVER, CLIENT), ({}, {}))
    assert usage.server(some) == ServerUsage(threads_peak=9, rss_peak_bytes=1000)
    assert usage.client(some) == ClientUsage(ceiling_rps=50_000.0, busiest_share=0.5)


def test_nothing_known_is_unknown_and_not_0() -> None:
    for none in (trials(), trials(({}, {}))):
        assert usage.server(none) == ServerUsage()
        assert usage.client(none) == ClientUsage()


def test_0_is_known() -> None:
    quiet = trials(({**SERVER, "listen_overflows": 0}, CLIENT), ({**SERVER, "listen_overflows": 0}, CLIENT))
    assert usage.server(quiet).listen_overflows == 0
