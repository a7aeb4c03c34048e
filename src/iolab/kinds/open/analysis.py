"""From the run folder of an open loop to its cells: response times, the same trace simulated, and theory."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from iolab.errors import UsageError
from iolab.kinds import recorded
from iolab.kinds.arrival_records import OpenRecord
from iolab.kinds.open.findings import KNOWN, findings
from iolab.kinds.open.settings import OpenExperiment
from iolab.results.folder import RunFolder
from iolab.results.records import Finding
from iolab.results.run_info import ModelInfo, RunInfo
from iolab.results.samples import OpenSample
from iolab.theory import queueing
from iolab.theory.capacity import Distribution, queue
from iolab.theory.plan_length import needed_s as needed
from iolab.theory.queueing import ResponseTime
from iolab.theory.simulated_plans import Plan, Range, Services, simulated
from iolab.theory.statistics import Array, percentile


@dataclass(frozen=True)
class Measured:
    """Response times of a plan, from the planned moments."""

    count: int
    mean_s: float
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    late_p99_s: float  # lateness of sends


@dataclass(frozen=True)
class SameTrace:
    """Response times of an ideal queue with the arrivals and service times of a plan; None with too few requests."""

    mean_s: float
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


@dataclass(frozen=True)
class OpenCell:
    """One plan: measured, the same trace simulated, and theory for constant (M/D/c) and exponential service (M/M/c).

    `chance` is the range of simulated plans of the same rate, length, start and service times, None if arrivals are a
    trace; `needed_s` is how long a plan must be for a mean that is KNOWN, by theory and by that range, None if there
    is no queue.
    """

    record: OpenRecord
    workers: float
    measured: Measured | None
    same: SameTrace | None
    constant: ResponseTime | None
    exponential: ResponseTime | None
    chance: Range | None
    needed_s: float | None
    findings: tuple[Finding, ...]
    shares: tuple[float, ...] = ()  # of its requests that each process of the server served, if the server says so

    @property
    def queue_workers(self) -> float:
        """How many workers each queue has."""
        return self.workers / self.record.queues

    @property
    def wait_s(self) -> float | None:
        """The mean waiting time: the response time without service and transit."""
        return self.waiting_s(self.measured.mean_s) if self.measured else None

    def waiting_s(self, response_s: float) -> float:
        """Return the part of a mean response time that is neither service nor transit."""
        return response_s - self.record.calibration.service_s - self.record.calibration.transit_s

    @property
    def likely(self) -> bool | None:
        """Whether the measured mean is one that chance makes; None where that is not known."""
        if not self.measured or not self.chance:
            return None
        return self.chance.mean_s[0] <= self.measured.mean_s <= self.chance.mean_s[1]

    def range_of(self, name: str) -> tuple[float, float] | None:
        """Return the range of simulated plans of "mean_s", "p99_s" and so on; None where the plan has too few requests.

        A simulated plan has about as many requests as the measured one.
        """
        if not self.chance or getattr(self.measured, name, None) is None:
            return None
        found: tuple[float, float] = getattr(self.chance, name)
        return found

    @property
    def off(self) -> float | None:
        """The relative difference of the measured mean from the simulated one."""
        return self.measured.mean_s / self.same.mean_s - 1 if self.measured and self.same else None

    @property
    def off_p95(self) -> float | None:
        """The relative difference of the 95th percentiles."""
        if not self.measured or not self.same or self.measured.p95_s is None or self.same.p95_s is None:
            return None
        return self.measured.p95_s / self.same.p95_s - 1


@dataclass(frozen=True)
class OpenAnalysis:
    """The content of an open-loop report; cells by model, variant and rate."""

    run: RunInfo
    experiment: OpenExperiment
    cells: tuple[OpenCell, ...]


def analyse(folder: RunFolder) -> OpenAnalysis:
    """Read a run folder and compute its cells; raises UsageError if it cannot be read."""
    found = recorded.read(folder, OpenExperiment, OpenRecord)
    order, variants = list(found.models), found.experiment.variants
    records = sorted(
        found.trials, key=lambda each: (order.index(each.model), variants.index(each.variant), each.rate_rps)
    )
    cells = [
        _cell(
            folder,
            found.run,
            found.models[each.model],
            each,
            found.experiment.settings(each.variant).wait_distribution,
        )
        for each in records
    ]
    return OpenAnalysis(found.run, found.experiment, tuple(cells))


def _cell(folder: RunFolder, run: RunInfo, model: ModelInfo, record: OpenRecord, variant: Distribution) -> OpenCell:
    samples = folder.rows_of(record, "requests", OpenSample, record.sent)
    answered = [sample for sample in samples if sample.status == 200]
    measured = _measured(answered, samples) if answered else None
    services = _services(answered, record) if answered else None
    same = _simulated(answered, services, record, model.places) if services is not None else None
    constant = exponential = needed_s = None
    if record.utilisation is not None:
        _check_rate(folder, model, record, record.utilisation)
        constant, exponential = _theory("constant", record, model), _theory("exponential", record, model)
        if record.queues == 1:  # the simulation of plans has one queue
            needed_s = needed(queue(variant, record.rate_rps, record.calibration.service_s, model.places), KNOWN)
    chance = None if services is None or record.queues > 1 else _chance(services, record, model.places)
    if needed_s is not None and chance and chance.half > KNOWN:  # a spread falls with the square root of the length
        needed_s = max(needed_s, record.plan_s * (chance.half / KNOWN) ** 2)
    cell = OpenCell(record, model.places, measured, same, constant, exponential, chance, needed_s, ())
    return replace(cell, shares=_shares(answered), findings=findings(run, cell, samples))


def _check_rate(folder: RunFolder, model: ModelInfo, record: OpenRecord, utilisation: float) -> None:
    """Raise UsageError if a rate does not match the planned utilisation of the model's workers."""
    if not math.isclose(record.rate_rps * record.calibration.service_s / model.places, utilisation, rel_tol=0.01):
        raise UsageError(
            f"{folder.path / 'trials.jsonl'}: trial {record.index} has a rate of {record.rate_rps:g} a second, which is"
            f" not a utilisation of {utilisation:g}: this file or run.json is damaged"
        )


def _theory(distribution: Distribution, record: OpenRecord, model: ModelInfo) -> ResponseTime:
    """Return a queue's response times, with the transit time, in which no worker is busy.

    A random part of Poisson arrivals is a Poisson process, too: Kleinrock, Queueing Systems, Volume 1 (1975), p. 79.
    """
    rate_rps, workers = record.rate_rps / record.queues, model.places / record.queues
    response = queue(distribution, rate_rps, record.calibration.service_s, workers).response
    transit_s = record.calibration.transit_s
    return ResponseTime(
        response.mean_s + transit_s,
        response.p50_s + transit_s,
        response.p95_s + transit_s,
        response.p99_s + transit_s,
    )


def _measured(answered: Sequence[OpenSample], samples: Sequence[OpenSample]) -> Measured:
    responses = np.array([sample.done_s - sample.planned_s for sample in answered])
    late = np.array([sample.sent_s - sample.planned_s for sample in samples])
    return Measured(
        count=len(responses),
        mean_s=float(responses.mean()),
        p50_s=percentile(responses, 0.5),
        p95_s=percentile(responses, 0.95),
        p99_s=percentile(responses, 0.99),
        late_p99_s=float(np.quantile(late, 0.99)),
    )


def _services(answered: Sequence[OpenSample], record: OpenRecord) -> Array:
    """Return how long each request occupied a worker; the mean where the server does not say it."""
    reported = np.array([math.nan if sample.service_s is None else sample.service_s for sample in answered])
    found: Array = np.nan_to_num(reported, nan=float(np.nanmean(reported))) + record.calibration.overhead_s
    return found


def _shares(answered: Sequence[OpenSample]) -> tuple[float, ...]:
    """Return the share of each process that served requests; nothing if that is not known of all."""
    counts = Counter(sample.served_by for sample in answered)
    return () if None in counts else tuple(counts[each] / len(answered) for each in sorted(counts, key=str))


def _simulated(answered: Sequence[OpenSample], services: Array, record: OpenRecord, workers: float) -> SameTrace | None:
    """Return the response times of an ideal queue with the same arrivals, service times and workers.

    Of several queues, each has the arrivals of its own process; None if it is not known which those are.
    """
    arrivals = np.array([sample.planned_s for sample in answered])
    if record.queues == 1:
        responses = queueing.many_servers(arrivals, services, workers)
    elif any(sample.served_by is None for sample in answered):
        return None
    else:
        process = np.array([sample.served_by for sample in answered])
        own = [process == each for each in np.unique(process)]
        responses = np.concatenate([queueing.one_server(arrivals[mine], services[mine]) for mine in own])
    responses = responses + record.calibration.transit_s
    return SameTrace(float(responses.mean()), *(percentile(responses, each) for each in (0.5, 0.95, 0.99)))


def _chance(services: Array, record: OpenRecord, workers: float) -> Range | None:
    """Return the range of simulated plans, with the transit time; None for arrivals of a trace."""
    if record.process not in ("poisson", "constant"):
        return None
    process: Literal["poisson", "constant"] = "poisson" if record.process == "poisson" else "constant"
    found = simulated(Plan(process, record.rate_rps, record.plan_s, workers), Services(services))
    return found.later(record.calibration.transit_s) if found else None
