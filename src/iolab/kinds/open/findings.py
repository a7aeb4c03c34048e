"""What a reader of an open loop's cell must know: late sends, lost workers, a queue off the plan."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from iolab.findings import by_gravity, machine
from iolab.kinds.arrival_records import OpenRecord
from iolab.results.records import Finding, OpenSample, RunInfo

if TYPE_CHECKING:
    from iolab.kinds.open.analysis import OpenCell

LATE_S = 0.002  # of the 99th percentile of sends
AGREES = 0.05  # measured and simulated, where more than LATE_S apart: timers and HTTP have jitter of their own
KNOWN = 0.10  # a mean that is known worse wants a longer plan
SIGMAS = 4.0
LEAST_GAPS = 50


def findings(run: RunInfo, cell: "OpenCell", samples: Sequence[OpenSample]) -> tuple[Finding, ...]:
    """Return the findings of a cell and its requests, the gravest first."""
    return by_gravity([*_of_the_plan(cell, samples), *machine.during(run, (cell.record,), cell.record.cpus)])


def _of_the_plan(cell: "OpenCell", samples: Sequence[OpenSample]) -> Iterator[Finding]:
    record, measured = cell.record, cell.measured
    if not record.valid:
        yield _invalid(record)
    if record.server.listen_overflows:
        yield Finding(
            id="listen_overflow",
            severity="warning",
            message=f"{record.server.listen_overflows} connection attempts were dropped: the listen queue was full",
            remedy="a longer listen queue (BACKLOG)",
        )
    if measured is None:
        return
    if measured.late_p99_s > LATE_S:
        yield Finding(
            id="late_sends",
            severity="warning",
            message=f"suspect: one request in a hundred was sent {measured.late_p99_s * 1000:.1f} ms late or more,"
            " and its wait began before the server knew of it",
            remedy="a quieter machine, more cores for the load generator (fewer CPUS), or a lower rate",
        )
    yield from _same_trace(cell)
    yield from _as_planned(record, samples)
    if measured.mean_ci_s and record.utilisation is not None:
        half = (measured.mean_ci_s[1] - measured.mean_ci_s[0]) / 2 / measured.mean_s
        if half > KNOWN:
            yield Finding(
                id="short_plan",
                severity="note",
                message=f"the mean is known to {half:.0%}: a queue this busy varies slowly, and what was measured is of"
                " these arrivals more than of the queue; the same trace simulated has the same luck",
                remedy=f"make it longer: DURATION={record.plan_s * (half / KNOWN) ** 2:.0f}s",
            )


def _invalid(record: OpenRecord) -> Finding:
    """Return why a plan is not what was asked for."""
    if record.lost_workers:
        left = record.load_workers - record.lost_workers
        return Finding(
            id="worker_lost",
            severity="error",
            message=f"{record.reason}; its stream of the plan ended there, and {left} of {record.load_workers} went on",
            remedy="look at that machine; a worker that joins again takes part from the next plan on",
        )
    return Finding(
        id="failed_requests" if record.ok and record.errors else "invalid_trial",
        severity="error",
        message=str(record.reason),
        remedy="mend the cause and run it again",
    )


def _same_trace(cell: "OpenCell") -> Iterator[Finding]:
    """Check the instrument: a simulated queue of the same arrivals and service times has the same response times."""
    if not cell.measured or not cell.same:
        return
    pairs = {
        "mean": (cell.measured.mean_s, cell.same.mean_s),
        "95th percentile": (cell.measured.p95_s, cell.same.p95_s),
    }
    wrong = {
        name: seen / ideal - 1
        for name, (seen, ideal) in pairs.items()
        if seen is not None and abs(seen / ideal - 1) > AGREES and abs(seen - ideal) > LATE_S
    }
    if wrong:
        listed = " and ".join(f"the {name} {off:+.0%}" for name, off in wrong.items())
        yield Finding(
            id="off_the_trace",
            severity="warning",
            message=f"{listed} off what the same arrivals and service times make of an ideal queue",
            remedy="look for what disturbed it: the other findings, or make doctor",
        )


def _as_planned(record: OpenRecord, samples: Sequence[OpenSample]) -> Iterator[Finding]:
    """Arrivals, of all load workers together, are as many and as irregular as the process would have them.

    The sample's coefficient of variation of n exponential gaps has a standard error of 1 / sqrt(n) around 1.
    Source: delta method on the second moments, as in Lehmann, Elements of Large-Sample Theory (1999), section 2.5.
    """
    if record.process != "poisson" or record.lost_workers:
        return
    count, expected = len(samples), record.rate_rps * record.plan_s
    wrong = []
    if abs(count - expected) > SIGMAS * math.sqrt(expected) + 1:
        wrong.append(
            f"{count} requests were sent where a Poisson process has {expected:.0f} give or take"
            f" {math.sqrt(expected):.0f}"
        )
    gaps = np.diff(np.sort([sample.sent_s for sample in samples]))
    if len(gaps) >= LEAST_GAPS and abs(gaps.std() / gaps.mean() - 1) > SIGMAS / math.sqrt(len(gaps)):
        wrong.append(
            f"gaps between arrivals vary by {gaps.std() / gaps.mean():.2f} of their mean, those of a Poisson process by"
            f" 1 give or take {1 / math.sqrt(len(gaps)):.2f}"
        )
    if wrong:
        yield Finding(
            id="arrivals",
            severity="warning",
            message="; ".join(wrong),
            remedy="another seed (SEED); if it happens again, that is a fault of the lab",
        )
