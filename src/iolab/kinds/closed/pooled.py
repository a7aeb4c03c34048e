"""The finding about a pool of connections to the downstream service: the queue is inside the server."""

from collections.abc import Iterator

from iolab.kinds.closed.evidence import CLOSE, Evidence
from iolab.report.settings import bound
from iolab.results.records import Finding


def pooled(evidence: Evidence) -> bool:
    """Return whether the median is that of users that share the connections, rather than what it is without a pool."""
    median_s, all_s, without_s = evidence.median_s, evidence.expected_s, evidence.unpooled_s
    if not evidence.connections or median_s is None or all_s is None or without_s is None:
        return False
    return abs(median_s / all_s - 1) <= CLOSE and abs(median_s / all_s - 1) < abs(median_s / without_s - 1)


def waits_for_connections(evidence: Evidence) -> Iterator[Finding]:
    """There are fewer connections to the downstream service than requests that the server works on."""
    if not pooled(evidence):
        return
    connections, users = evidence.connections or 0, evidence.trials[0].concurrency
    median_ms, all_ms, without_ms = (
        (each or 0.0) * 1000 for each in (evidence.median_s, evidence.expected_s, evidence.unpooled_s)
    )
    reason = bound(evidence.workers, connections) or "the connections to the downstream service are the limit"
    yield Finding(
        id="downstream_pool",
        severity="note",
        message=f"{reason}. The median of {median_ms:.0f} ms is that of {users} users that share them"
        f" ({all_ms:.0f} ms); without the pool theory has {without_ms:.0f} ms",
        measured=f"{reason}. The median is {median_ms:.0f} ms",
        remedy=f"more connections (DOWNSTREAM={2 * connections}), if the downstream service can serve them, or shorter"
        " waits: other servers, threads or CPUs change nothing",
        value=users / connections,
    )
