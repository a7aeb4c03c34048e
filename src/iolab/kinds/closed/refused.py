"""Findings about connections that a limit refused: open files, or the server's accept queue."""

from collections.abc import Iterator

from iolab.host.capacity import SPARE_FILES
from iolab.kinds.closed.evidence import CLOSE, SLOW_S, Evidence
from iolab.report.numbers import counted
from iolab.results.records import Finding


def open_files(evidence: Evidence) -> Iterator[Finding]:
    """Requests failed, and the users need more open files than a process may have."""
    users, limit = evidence.trials[0].concurrency, evidence.open_files
    if limit is not None and users + SPARE_FILES > limit and any(trial.errors for trial in evidence.trials):
        yield Finding(
            id="open_files",
            severity="error",
            message=f"a process may have {limit:,} open files, and {users:,} users need a connection each: requests"
            " beyond that fail, in the server or in the load generator",
            remedy=f"fewer users (CONCURRENCY), or allow more: {_more_files(evidence, users + 2 * SPARE_FILES)}",
            value=users / limit,
        )


def _more_files(evidence: Evidence, files: int) -> str:
    if evidence.runtime == "docker":
        return f"LimitNOFILE={files} of the engine's service"
    return f"ulimit -Hn {files}, as root"


def listen_queue_overflowed(evidence: Evidence) -> Iterator[Finding]:
    """The kernel dropped packets of connection attempts: the median becomes shorter, and the tail longer."""
    overflows = evidence.usage.listen_overflows
    if not overflows or evidence.median_s is None or evidence.slowest_s is None:
        return
    queue = f"listen backlog {evidence.backlog}" if evidence.backlog else "the server's own listen backlog"
    first = evidence.trials[0]
    where = "" if evidence.runtime == "docker" else " (counted on the whole machine)"
    told = (
        f"the accept queue overflowed ({queue}): the kernel dropped {counted(overflows, 'packet')} of"
        f" connection attempts{where}.{_again(evidence)}"
    )
    yield Finding(
        id="listen_overflow",
        severity="warning",
        message=f"{told}{_two_groups(evidence)}",
        measured=f"{told}{_two_groups(evidence, theory=False)}",
        remedy=f"to measure without drops: make bench MODELS={first.model} CONCURRENCY={first.concurrency}"
        f" BACKLOG={max(128, 2 * first.concurrency)}"
        if longer(evidence)
        else "fewer users (CONCURRENCY): the listen backlog is long enough for all of them",
        value=overflows,
    )


def _again(evidence: Evidence) -> str:
    again = evidence.client.syn_retransmits
    if again is None:
        return " How many attempts were sent again is not known."
    return f" Attempts were sent again {counted(again, 'time')}."


def _two_groups(evidence: Evidence, *, theory: bool = True) -> str:
    """Tell the users that circulate behind the short queue from the requests that waited for TCP's timers."""
    late = int((evidence.latencies_s >= SLOW_S).sum())
    if not late or evidence.median_s is None or evidence.slowest_s is None:
        return ""
    text = f" {late} of {counted(len(evidence.latencies_s), 'request')} took 1 s or longer, the slowest"
    text += f" {evidence.slowest_s:.1f} s; the median is {evidence.median_s * 1000:.0f} ms"
    expected_s, backlog = evidence.expected_s, evidence.backlog
    if theory and evidence.short_queue and expected_s and backlog and abs(evidence.median_s / expected_s - 1) <= CLOSE:
        text += f", as predicted for the {backlog + 2} users that circulate ({expected_s * 1000:.0f} ms)"
    return f"{text}."


def longer(evidence: Evidence) -> str:
    """Return the advice to lengthen the accept queue, one for all findings; "" if it has that length."""
    if evidence.runtime == "url":
        return "a longer listen backlog of your server"
    wanted = max(128, 2 * evidence.trials[0].concurrency)
    return "" if (evidence.backlog or 0) >= wanted else f"a longer listen backlog (BACKLOG={wanted})"
