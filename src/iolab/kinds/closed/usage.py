"""What server and load generator used in the repeats of a cell."""

from collections.abc import Sequence

from iolab.kinds.closed.records import ClosedRecord
from iolab.results.records import ClientUsage, ServerUsage


def server(trials: Sequence[ClosedRecord]) -> ServerUsage:
    """Sum up what the server used over all repeats, None as soon as one is unknown; peaks are the highest known."""
    usages = [trial.server for trial in trials]
    threads = [usage.threads_peak for usage in usages if usage.threads_peak is not None]
    memory = [usage.rss_peak_bytes for usage in usages if usage.rss_peak_bytes is not None]
    return ServerUsage(
        cpu_s=_sum([usage.cpu_s for usage in usages]),
        throttled_s=_sum([usage.throttled_s for usage in usages]),
        threads_peak=max(threads, default=None),
        rss_peak_bytes=max(memory, default=None),
        listen_overflows=_count([usage.listen_overflows for usage in usages]),
        listen_drops=_count([usage.listen_drops for usage in usages]),
        syn_cookies=_count([usage.syn_cookies for usage in usages]),
        full_queue_cookies=_count([usage.full_queue_cookies for usage in usages]),
    )


def client(trials: Sequence[ClosedRecord]) -> ClientUsage:
    """Sum up CPU time; the ceiling is the same for all trials, so the highest measured is nearest to it.

    The busiest process is that of the repeat in which it was busiest.
    """
    ceilings = [trial.client.ceiling_rps for trial in trials if trial.client.ceiling_rps is not None]
    shares = [trial.client.busiest_share for trial in trials if trial.client.busiest_share is not None]
    return ClientUsage(
        cpu_s=_sum([trial.client.cpu_s for trial in trials]),
        ceiling_rps=max(ceilings, default=None),
        syn_retransmits=_count([trial.client.syn_retransmits for trial in trials]),
        timeouts=_count([trial.client.timeouts for trial in trials]),
        busiest_share=max(shares, default=None),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 6) if known and len(known) == len(values) else None


def _count(values: Sequence[int | None]) -> int | None:
    total = _sum(values)
    return None if total is None else int(total)
