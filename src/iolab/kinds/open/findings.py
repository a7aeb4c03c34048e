"""Findings of open-loop cells: late sends, lost workers, arrivals or queues that differ from the plan."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from iolab.findings import by_gravity
from iolab.findings.generator import LATE_S
from iolab.kinds import arrivals
from iolab.kinds.arrival_records import OpenRecord
from iolab.report import doubts, numbers
from iolab.results.records import Finding
from iolab.results.run_info import RunInfo
from iolab.results.samples import OpenSample

if TYPE_CHECKING:
    from iolab.kinds.open.analysis import OpenCell

AGREES = 0.05  # relative difference of measured and simulated, if above LATE_S: timers and HTTP have jitter
KNOWN = 0.10  # half the width of the range of means: above it, the plan should be longer
SIGMAS = 4.0
LEAST_GAPS = 50


def findings(run: RunInfo, cell: "OpenCell", samples: Sequence[OpenSample]) -> tuple[Finding, ...]:
    """Return the findings of a cell and its requests, the most severe first."""
    return by_gravity([*_of_the_plan(cell, samples), *doubts.during(run, (cell.record,), cell.record.cpus)])


def _of_the_plan(cell: "OpenCell", samples: Sequence[OpenSample]) -> Iterator[Finding]:
    record, measured = cell.record, cell.measured
    if not record.valid:
        yield _invalid(record)
    if record.server.listen_overflows:
        yield Finding(
            id="listen_overflow",
            severity="warning",
            message=f"{record.server.listen_overflows} connection attempts were dropped: the accept queue was full",
            remedy="a longer accept queue (BACKLOG)",
            value=record.server.listen_overflows,
        )
    if measured is None:
        return
    if late := arrivals.late_sends(measured.late_p99_s):
        yield late
    yield from _same_trace(cell)
    yield from _as_planned(record, samples)
    yield from _short(cell)


def _short(cell: "OpenCell") -> Iterator[Finding]:
    """Say how much chance is in a mean, and how long a plan must be, where it is too short."""
    if not cell.chance or not cell.constant or cell.needed_s is None or not cell.measured:
        return
    if cell.chance.half > KNOWN:
        low, high = (numbers.latency(end_s) for end_s in cell.chance.mean_s)
        lasts = numbers.duration(cell.record.plan_s)
        yield Finding(
            id="short_plan",
            severity="note",
            message=f"95% of simulated plans of {lasts} have a mean between {low} and {high}: a queue at this"
            " utilisation varies slowly, so the result depends on these arrivals; the simulation of the same trace has"
            " the same arrivals",
            measured="a queue at this utilisation varies slowly: the result of so short a plan depends on its arrivals",
            remedy=f"for a mean that is known to {KNOWN:.0%}, make it longer: DURATION={_rounded(cell.needed_s):.0f}s",
            value=cell.chance.half,
        )


def _rounded(seconds: float) -> float:
    """Return a time with two digits: it is an estimate."""
    return float(f"{seconds:.2g}")


def _invalid(record: OpenRecord) -> Finding:
    """Return why a plan is not valid."""
    if record.lost_workers:
        left = record.load_workers - record.lost_workers
        return Finding(
            id="worker_lost",
            severity="error",
            message=f"{record.reason}; its part of the plan ended then, {left} of {record.load_workers} went on",
            remedy="check that machine; a worker that joins again takes part from the next plan on",
        )
    failed = record.ok > 0 and record.errors > 0
    return Finding(
        id="failed_requests" if failed else "invalid_trial",
        severity="error",
        message=str(record.reason),
        remedy="remove the cause and run it again",
        value=record.errors / record.sent if failed else None,
    )


def _same_trace(cell: "OpenCell") -> Iterator[Finding]:
    """Check the measurement: a simulated queue with the same arrivals and service times has the same response times."""
    if not cell.measured or not cell.same:
        return
    pairs = {
        "mean": (cell.measured.mean_s, cell.same.mean_s),
        "95th percentile": (cell.measured.p95_s, cell.same.p95_s),
    }
    wrong = {
        name: response_s / ideal_s - 1
        for name, (response_s, ideal_s) in pairs.items()
        if response_s is not None
        and ideal_s is not None
        and abs(response_s / ideal_s - 1) > AGREES
        and abs(response_s - ideal_s) > LATE_S
    }
    if wrong:
        listed = " and ".join(f"the {name} {off:+.0%}" for name, off in wrong.items())
        ideal = "an ideal queue that has the same arrivals and service times"
        yield Finding(
            id="off_the_trace",
            severity="warning",
            message=f"{listed} compared with {ideal}",
            measured=f"the response times differ from those of {ideal}",
            remedy="look for the cause: in the other findings, or with make doctor",
            value=max(map(abs, wrong.values())),
        )


def _as_planned(record: OpenRecord, samples: Sequence[OpenSample]) -> Iterator[Finding]:
    """The number of arrivals and the variation of their gaps, over all load workers, are those of the process.

    The sample's coefficient of variation of n exponential gaps has a standard error of 1 / sqrt(n) around 1.
    Source: delta method on the second moments, as in Lehmann, Elements of Large-Sample Theory (1999), section 2.5.
    """
    if record.process != "poisson" or record.lost_workers:
        return
    count, expected = len(samples), record.rate_rps * record.plan_s
    wrong, deviations = list[str](), list[float]()
    if abs(count - expected) > SIGMAS * math.sqrt(expected) + 1:
        deviations.append(abs(count / expected - 1))
        wrong.append(f"{count} requests were sent; a Poisson process has {expected:.0f} ± {math.sqrt(expected):.0f}")
    gaps = np.diff(np.sort([sample.sent_s for sample in samples]))
    if len(gaps) >= LEAST_GAPS and abs(gaps.std() / gaps.mean() - 1) > SIGMAS / math.sqrt(len(gaps)):
        deviations.append(abs(gaps.std() / gaps.mean() - 1))
        wrong.append(
            f"the coefficient of variation of the gaps between arrivals is {gaps.std() / gaps.mean():.2f}; that of a"
            f" Poisson process is 1 ± {1 / math.sqrt(len(gaps)):.2f}"
        )
    if wrong:
        yield Finding(
            id="arrivals",
            severity="warning",
            message="; ".join(wrong),
            remedy="use another seed (SEED); if it happens again, it is a bug of the lab",
            value=max(deviations),
        )
