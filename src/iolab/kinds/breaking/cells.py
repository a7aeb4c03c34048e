"""From a run folder to the response times of users and of a bystander for each strategy; for reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iolab.kinds import recorded
from iolab.kinds.breaking.culprit import Culprit
from iolab.kinds.breaking.plan import Strategy, expected
from iolab.kinds.breaking.records import BreakRecord
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.report import doubts
from iolab.report.summary import rounded
from iolab.results.folder import RunFolder
from iolab.results.records import ServerUsage
from iolab.results.run_info import RunInfo
from iolab.results.samples import Sample
from iolab.theory.closed_loop import ClosedLoop
from iolab.theory.statistics import Array, percentile

Read = recorded.Recorded[BreakExperiment, BreakRecord]


@dataclass(frozen=True)
class StrategyResult:
    """The response times of users and bystander for one strategy, the prediction, and the server's use of resources."""

    strategy: Strategy
    expected: ClosedLoop
    samples: Sequence[Sample]
    bystander: Sequence[Sample]
    usage: ServerUsage
    lock: bool = True  # whether its interpreter has one

    @property
    def median_ms(self) -> float | None:
        """The median response time of the users; None with too few requests."""
        value = percentile(_latencies_s(self.samples), 0.5)
        return None if value is None else value * 1000

    @property
    def p95_ms(self) -> float | None:
        """The 95th percentile of the users; None with too few requests."""
        value = percentile(_latencies_s(self.samples), 0.95)
        return None if value is None else value * 1000

    @property
    def rate_rps(self) -> float:
        """How many requests of users were answered with status 200 a second."""
        begun = [one.start_s for one in self.samples if one.start_s is not None]
        answered = [one for one in self.samples if one.status == 200]
        ended = [one.start_s + one.latency_s for one in answered if one.start_s is not None and one.latency_s]
        span_s = max(ended) - min(begun) if ended else 0.0
        return len(ended) / span_s if span_s > 0 else 0.0

    @property
    def bystander_answered(self) -> int:
        """How many of the bystander's requests were answered with status 200."""
        return len(_latencies_s(self.bystander))

    @property
    def bystander_median_ms(self) -> float | None:
        """The median response time of the bystander, whose request does no work at all.

        It describes these requests, however few: behind a blocked loop there are two a second.
        """
        values = _latencies_s(self.bystander)
        return float(np.median(values)) * 1000 if len(values) else None

    @property
    def bystander_slowest_ms(self) -> float | None:
        """The longest response time of the bystander."""
        values = _latencies_s(self.bystander)
        return float(values.max()) * 1000 if len(values) else None


def _latencies_s(samples: Sequence[Sample]) -> Array:
    return np.array([one.latency_s for one in samples if one.status == 200 and one.latency_s is not None])


@dataclass(frozen=True)
class Analysis:
    """The content of a report; results and culprits are those of valid trials."""

    run: RunInfo
    experiment: BreakExperiment
    records: Sequence[BreakRecord]
    results: Sequence[StrategyResult]
    culprits: Sequence[Culprit]
    cells: Sequence[dict[str, Any]]


def analyse(folder: RunFolder) -> Analysis:
    """Read a run folder, and compute the content of its reports; raises UsageError if it cannot be read."""
    found = recorded.read(folder, BreakExperiment, BreakRecord)
    run, experiment = found.run, found.experiment
    records = sorted(found.trials, key=lambda record: record.index)
    for record in records:
        if record.strategy not in experiment.broken.strategies:
            raise recorded.not_of_the_run(folder, record, f"strategy {record.strategy.name}")
    loads = [(record, _result(folder, found, record)) for record in records if not record.seeks]
    culprits = {record.strategy: record.culprit for record in records if record.valid and record.culprit}
    return Analysis(
        run=run,
        experiment=experiment,
        records=records,
        results=[result for record, result in loads if record.valid],
        culprits=list(culprits.values()),
        cells=[_cell(found, record, result, culprits.get(record.strategy)) for record, result in loads],
    )


def _result(folder: RunFolder, read: Read, record: BreakRecord) -> StrategyResult:
    experiment, lock = read.experiment, read.run.has_lock(record.strategy.service)
    users, cpus = experiment.concurrency[0], experiment.cpus[0]
    return StrategyResult(
        strategy=record.strategy,
        expected=expected(record.strategy, users, experiment.work_ms(record.strategy) / 1000, cpus, lock=lock),
        samples=folder.rows_of(record, "requests", Sample),
        bystander=folder.rows_of(record, "bystander", Sample),
        usage=record.server,
        lock=lock,
    )


def _cell(read: Read, record: BreakRecord, result: StrategyResult, culprit: Culprit | None) -> dict[str, Any]:
    experiment = read.experiment
    searches = [each for each in read.trials if each.seeks and each.strategy == record.strategy]
    findings = doubts.of_record(read.run, record, experiment.cpus[0], *searches)
    return {
        **record.strategy.model_dump(),
        "concurrency": experiment.concurrency[0],
        "cpus": experiment.cpus[0],
        "service_ms": experiment.work_ms(record.strategy),
        "valid": record.valid,
        "reason": record.reason,
        "requests": len(result.samples),
        "median_ms": rounded(result.median_ms),
        "p95_ms": rounded(result.p95_ms),
        "throughput_rps": rounded(result.rate_rps),
        "predicted_mean_ms": rounded(result.expected.latency_s * 1000),
        "predicted_throughput_rps": rounded(result.expected.throughput_rps),
        "bystander_requests": len(result.bystander),
        "bystander_median_ms": rounded(result.bystander_median_ms),
        "bystander_slowest_ms": rounded(result.bystander_slowest_ms),
        "server": record.server.model_dump(),
        "culprit": culprit.model_dump() if culprit else None,
        "findings": [finding.model_dump() for finding in findings],
    }
