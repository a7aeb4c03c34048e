"""From the run folder of an open loop to its cells: response times, the same trace simulated, and theory."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from iolab.findings import GRAVITY, machine
from iolab.kinds import registry
from iolab.kinds.arrival_records import OpenRecord
from iolab.kinds.open.settings import OpenExperiment
from iolab.results.folder import RunFolder
from iolab.results.records import Finding, ModelInfo, OpenSample, RunInfo
from iolab.theory import queueing
from iolab.theory.queueing import ResponseTime
from iolab.theory.statistics import Array, percentile, t_quantile

BATCHES = 10  # for the interval of a mean: response times that follow each other are correlated
LATE_S = 0.002  # of the 99th percentile of sends
AGREES = 0.05  # measured and simulated, where more than LATE_S apart: timers and HTTP have jitter of their own
KNOWN = 0.10  # a mean that is known worse wants a longer plan
SIGMAS = 4.0
LEAST_GAPS = 50


@dataclass(frozen=True)
class Measured:
    """What a plan's requests took, from their planned moments; `mean_ci_s` is a 95% interval, None with too few."""

    count: int
    mean_s: float
    mean_ci_s: tuple[float, float] | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    late_p99_s: float  # sends after their moment


@dataclass(frozen=True)
class OpenCell:
    """One plan: measured, the same trace simulated, and theory for constant (M/D/c) and exponential service (M/M/c)."""

    record: OpenRecord
    workers: float
    measured: Measured | None
    same: ResponseTime | None
    constant: ResponseTime | None
    exponential: ResponseTime | None
    findings: tuple[Finding, ...]

    @property
    def off(self) -> float | None:
        """How far the measured mean lies above the simulated one, as a share of that."""
        return self.measured.mean_s / self.same.mean_s - 1 if self.measured and self.same else None

    @property
    def off_p95(self) -> float | None:
        """The same of the 95th percentiles."""
        if not self.measured or not self.same or self.measured.p95_s is None:
            return None
        return self.measured.p95_s / self.same.p95_s - 1


@dataclass(frozen=True)
class OpenAnalysis:
    """All that a report of an open loop says; cells by model, variant and rate."""

    run: RunInfo
    experiment: OpenExperiment
    cells: tuple[OpenCell, ...]


def analyse(folder: RunFolder) -> OpenAnalysis:
    """Read a run folder and work everything out; raises UsageError where it cannot be read."""
    run = folder.read_run()
    experiment = registry.recorded(folder, run, OpenExperiment)
    models = {model.letter: model for model in run.models}
    order = {letter: number for number, letter in enumerate(models)}
    records = sorted(
        folder.read_trials(OpenRecord),
        key=lambda each: (order[each.model], experiment.variants.index(each.variant), each.rate_rps),
    )
    cells = [
        _cell(run, models[each.model], each, folder.read_rows(each.rows, "requests", OpenSample)) for each in records
    ]
    return OpenAnalysis(run, experiment, tuple(cells))


def _cell(run: RunInfo, model: ModelInfo, record: OpenRecord, samples: Sequence[OpenSample]) -> OpenCell:
    answered = [sample for sample in samples if sample.status == 200]
    measured = _measured(answered, samples) if answered else None
    same = _simulated(answered, record, model.workers) if answered else None
    constant = exponential = None
    if record.utilisation is not None:
        constant = _later(_constant(record.rate_rps, record.calibration.service_s, int(model.workers)), record)
        exponential = _later(queueing.mmc(record.rate_rps, record.calibration.service_s, int(model.workers)), record)
    cell = OpenCell(record, model.workers, measured, same, constant, exponential, ())
    found = [*_findings(cell, samples), *machine.during(run, (record,), record.cpus)]
    found.sort(key=lambda finding: GRAVITY[finding.severity])
    return OpenCell(record, model.workers, measured, same, constant, exponential, tuple(found))


@lru_cache(maxsize=64)
def _constant(rate_rps: float, service_s: float, servers: int) -> ResponseTime:
    return queueing.mdc(rate_rps, service_s, servers)


def _later(response: ResponseTime, record: OpenRecord) -> ResponseTime:
    """Add the transit time, which no worker waits for."""
    transit_s = record.calibration.transit_s
    return ResponseTime(
        response.mean_s + transit_s,
        response.p50_s + transit_s,
        response.p95_s + transit_s,
        response.p99_s + transit_s,
        response.error,
    )


def _measured(answered: Sequence[OpenSample], samples: Sequence[OpenSample]) -> Measured:
    responses = np.array([sample.done_s - sample.planned_s for sample in answered])
    late = np.array([sample.sent_s - sample.planned_s for sample in samples])
    return Measured(
        count=len(responses),
        mean_s=float(responses.mean()),
        mean_ci_s=_interval(responses),
        p50_s=percentile(responses, 0.5),
        p95_s=percentile(responses, 0.95),
        p99_s=percentile(responses, 0.99),
        late_p99_s=float(np.quantile(late, 0.99)),
    )


def _interval(responses: Array) -> tuple[float, float] | None:
    """Return the 95% interval of the mean by batch means; None with fewer than ten values a batch.

    Source: Law, Simulation Modeling and Analysis (2015), section 9.5.3.
    """
    size = len(responses) // BATCHES
    if size < 10:
        return None
    means = responses[: size * BATCHES].reshape(BATCHES, size).mean(axis=1)
    half = float(t_quantile(BATCHES - 1) * means.std(ddof=1) / math.sqrt(BATCHES))
    return float(responses.mean()) - half, float(responses.mean()) + half


def _simulated(answered: Sequence[OpenSample], record: OpenRecord, workers: float) -> ResponseTime:
    """Return what a queue of so many workers makes of the same arrivals and the same service times."""
    arrivals = np.array([sample.planned_s for sample in answered])
    told = np.array([math.nan if sample.service_s is None else sample.service_s for sample in answered])
    services = np.nan_to_num(told, nan=float(np.nanmean(told))) + record.calibration.overhead_s
    responses = queueing.many_servers(arrivals, services, workers) + record.calibration.transit_s
    return ResponseTime(float(responses.mean()), *(float(each) for each in np.quantile(responses, (0.5, 0.95, 0.99))))


def _findings(cell: OpenCell, samples: Sequence[OpenSample]) -> Iterator[Finding]:
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
    """Say why a plan is not what was asked for; what came of it is there all the same."""
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


def _same_trace(cell: OpenCell) -> Iterator[Finding]:
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
        wrong.append(f"{count} came where a Poisson process has {expected:.0f} give or take {math.sqrt(expected):.0f}")
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
