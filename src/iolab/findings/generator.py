"""Findings of the load generator: at its limit, late to read answers, out of connections."""

from collections.abc import Iterator, Sequence

from iolab.findings.evidence import cores
from iolab.results.records import ClientUsage, Finding, TrialRecord
from iolab.results.run_info import RunInfo

BUSY_SHARE = 0.7  # of a core's time
LATE_S = 0.002  # of the 99th percentile, of sends and of reads
REMEDY = "a quieter machine, more cores for the load generator (fewer CPUS), or less load (a lower rate, fewer users)"


def at_limit(client: ClientUsage, span_s: float, number: int) -> tuple[float, str] | None:
    """Return the share of its limit that a load generator computed, and words for it; None if it is not near it.

    It is at its limit when one of its processes uses a core all the time, however many cores it has, or when all of
    them together use its `number` of cores all the time: processes that share a core have less than a core each.
    Each kind records the first, `busiest_share`, where its load generator's processes compute on one core at a time.
    """
    shares: list[tuple[float, str]] = []
    if client.busiest_share is not None:
        shares.append((client.busiest_share, "a core in one process, whose code runs on one core at a time"))
    if client.cpu_s is not None and span_s > 0 and number:
        shares.append((client.cpu_s / (span_s * number), f"its {cores(number)}"))
    share, place = max(shares, default=(0.0, ""))
    return (share, f"used {share:.0%} of the time of {place}") if share > BUSY_SHARE else None


def share_of_a_core(cpu_s: float | None, span_s: float | None) -> float | None:
    """Return the share of one core's time that a process used, for `busiest_share`; None where that is not known."""
    return round(cpu_s / span_s, 6) if cpu_s is not None and span_s else None


def during(run: RunInfo, trials: Sequence[TrialRecord], cpus: float) -> Iterator[Finding]:
    """Yield the findings of the load generator during single trials under one CPU limit, each once: the worst."""
    yield from on(len(next(plan for plan in run.cpu_plans if plan.cpus == cpus).loadgen), trials)


def on(number: int, trials: Sequence[TrialRecord]) -> Iterator[Finding]:
    """Yield the findings of a load generator that has `number` cores, each once: the worst."""
    worst: dict[str, Finding] = {}
    for finding in (finding for trial in trials for finding in _of_a_trial(trial, number)):
        known = worst.setdefault(finding.id, finding)
        if (finding.value or 0.0) > (known.value or 0.0):
            worst[finding.id] = finding
    yield from worst.values()


def _of_a_trial(trial: TrialRecord, number: int) -> Iterator[Finding]:
    client = trial.client
    if busy := at_limit(client, trial.duration_s, number):
        yield Finding(
            id="loadgen_bottleneck",
            severity="warning",
            message=f"the load generator {busy[1]}: response times may include its own time",
            remedy=REMEDY,
            value=busy[0],
        )
    if client.loop_late_p99_ms is not None and client.loop_late_p99_ms > LATE_S * 1000:
        yield Finding(
            id="late_reads",
            severity="warning",
            message=f"suspect: one answer in a hundred can have waited {client.loop_late_p99_ms:.1f} ms or more in"
            " the load generator until it was read, and its response time includes such a wait",
            remedy=REMEDY,
            value=client.loop_late_p99_ms,
        )
    if client.waited:
        yield Finding(
            id="no_connection_left",
            severity="warning",
            message=f"{client.waited:,} arrivals waited in the load generator: {client.most_open or 0:,} connections"
            " were open, and it can open no more",
            remedy="a lower rate, more open files (ulimit -n), or load workers on other machines (JOIN)",
            value=client.waited,
        )
