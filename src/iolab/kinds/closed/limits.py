"""The finding about a connection limit below the number of users: a second queue, in front of the server's pool."""

from collections.abc import Iterator

from iolab.kinds.closed.evidence import CLOSE, Evidence
from iolab.report.numbers import counted
from iolab.results.records import Finding

# What an experiment that varies the limit shows: requests that wait are not answered before the load is stopped.
SHOWN = {"connection_limit", "failed_requests", "fewer_sent", "littles_law"}


def limited(evidence: Evidence) -> bool:
    """Return whether the median is that of the users whose connections are accepted, rather than that of all users."""
    median_s, few_s, all_s = evidence.median_s, evidence.accepted_s, evidence.expected_s
    if median_s is None or few_s is None or all_s is None:
        return False
    return abs(median_s / few_s - 1) <= CLOSE and abs(median_s / few_s - 1) < abs(median_s / all_s - 1)


def more_connections(evidence: Evidence) -> str:
    """Return the advice to accept all users."""
    if evidence.limit_fixed:
        return "server B, which has the same code and accepts 10,000 connections (MODELS=B), or fewer users"
    return f"a higher connection limit (CONNECTION_LIMIT={2 * evidence.trials[0].concurrency}), or fewer users"


def connection_limit_reached(evidence: Evidence) -> Iterator[Finding]:
    """The server accepts fewer connections than there are users: the others wait, connected, in the accept queue."""
    if not limited(evidence):
        return
    accepted, few_s, all_s = evidence.accepted or 0, evidence.accepted_s or 0.0, evidence.expected_s or 0.0
    users, failed = evidence.trials[0].concurrency, sum(trial.errors for trial in evidence.trials)
    fate = f" {counted(failed, 'request')} got no answer." if failed else ""
    dropped = evidence.usage.listen_overflows
    reached = (
        f"the connection limit was reached: the server accepts {accepted} connections, and there are {users} users."
    )
    yield Finding(
        id="connection_limit",
        severity="warning",
        message=f"{reached} The median of {(evidence.median_s or 0.0) * 1000:.0f} ms is that of {accepted} users"
        f" ({few_s * 1000:.0f} ms), not of {users} ({all_s * 1000:.0f} ms). Connections of the other"
        f" {users - accepted} wait in the accept queue until accepted ones close{_without_drops(dropped)}.{fate}",
        measured=f"{reached}{fate}",
        remedy=more_connections(evidence),
        value=users / accepted,
    )


def _without_drops(dropped: int | None) -> str:
    return ": the kernel dropped no packet" if dropped == 0 else ""
