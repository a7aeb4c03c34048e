"""From a run folder to its cells: every measurement beside its prediction, with its findings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean

import numpy as np

from iolab.kinds import recorded
from iolab.kinds.closed.evidence import Evidence
from iolab.kinds.closed.findings import findings
from iolab.kinds.closed.plan import prediction
from iolab.kinds.closed.records import Cell, ClosedRecord
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.report.summary import summary
from iolab.results.folder import RunFolder
from iolab.results.records import ClientUsage, ModelInfo, RunInfo, Sample, ServerUsage
from iolab.theory.closed_loop import ClosedLoop, even
from iolab.theory.littles_law import population, span_s
from iolab.theory.statistics import RESOLUTION_S, Array, median_interval, percentile

Read = recorded.Recorded[ClosedExperiment, ClosedRecord]
ALLOWANCE_S, ALLOWANCE_SHARE = 10.0, 0.25  # what a benchmark may add to the time of its requests


@dataclass(frozen=True)
class AnalysedCell:
    """A cell and the latencies, in seconds, of its answered requests, one array a repeat."""

    cell: Cell
    repeats_s: tuple[Array, ...]

    @property
    def latencies_s(self) -> Array:
        """The latencies of all repeats together."""
        return np.concatenate(self.repeats_s) if self.repeats_s else np.empty(0)


@dataclass(frozen=True)
class Counted:
    """The repeats of a cell that count: their trials, requests, and latencies of those that were answered."""

    trials: Sequence[ClosedRecord]
    samples: Sequence[Sequence[Sample]]
    repeats_s: Sequence[Array]

    @classmethod
    def of(cls, folder: RunFolder, trials: Sequence[ClosedRecord]) -> "Counted":
        """Read the requests of a cell's trials; those that cannot be trusted count where there are no others."""
        counted = [trial for trial in trials if trial.valid] or [trial for trial in trials if trial.ok]
        samples = [folder.rows_of(trial, "requests", Sample, trial.sent) for trial in counted]
        return cls(counted, samples, [_latencies(one) for one in samples])

    @cached_property
    def latencies_s(self) -> Array:
        """The latencies of all of them together."""
        return np.concatenate(self.repeats_s) if self.repeats_s else np.empty(0)


@dataclass(frozen=True)
class Analysis:
    """All that a report says."""

    run: RunInfo
    experiment: ClosedExperiment
    cells: tuple[AnalysedCell, ...]
    trials_done: int
    theory_s: float  # what the requests of all trials take by themselves, the ramps of each left aside
    chat_answer: tuple[str, ...] = ()  # to the course's last question, of another run with so many chat users

    @property
    def summary(self) -> str:
        """The text of summary.json: an object a cell."""
        return summary(self.run, [json.loads(analysed.cell.model_dump_json()) for analysed in self.cells])

    @property
    def allowance_s(self) -> float:
        """The time that the benchmark may take: that of its requests, 25% of it, and 10 s."""
        return self.theory_s * (1 + ALLOWANCE_SHARE) + ALLOWANCE_S


def analyse(folder: RunFolder) -> Analysis:
    """Read a closed loop's run folder and work everything out; raises UsageError where it cannot be read."""
    found = recorded.read(folder, ClosedExperiment, ClosedRecord)
    run, experiment, trials = found.run, found.experiment, found.trials
    for trial in trials:
        if trial.concurrency not in experiment.concurrency:
            raise recorded.not_of_the_run(folder, trial, f"concurrency {trial.concurrency}")
    cells = []
    for model in run.models:
        for cpus in experiment.cpus:
            for variant in experiment.variants:
                for concurrency in experiment.concurrency:
                    key = (model.letter, cpus, variant, concurrency)
                    mine = [t for t in trials if (t.model, t.cpus, t.variant, t.concurrency) == key]
                    if mine:
                        cells.append(_cell(found, model, mine, Counted.of(folder, mine)))
    return Analysis(run, experiment, tuple(cells), len(trials), _theory_s(found))


def _cell(read: Read, model: ModelInfo, trials: Sequence[ClosedRecord], counted: Counted) -> AnalysedCell:
    first, settings = trials[0], read.experiment.settings(trials[0].variant)
    theory = prediction(first, model.workers, settings)
    evidence = _evidence(read, trials, counted, theory)
    found = findings(evidence)
    latencies, populations = counted.latencies_s, evidence.populations
    interval = median_interval(counted.repeats_s, RESOLUTION_S[read.run.generator])
    predictable = settings.wait_distribution == "constant" and even(first.concurrency, model.workers)
    cell = Cell(
        model=model.letter,
        title=model.title,
        service=model.service,
        concurrency=first.concurrency,
        cpus=first.cpus,
        variant=first.variant,
        repeats=len(counted.trials),
        requested=sum(trial.requested for trial in trials),
        sent=sum(trial.sent for trial in trials),
        ok=sum(trial.ok for trial in trials),
        counted=len(latencies),
        errors=sum(trial.errors for trial in trials),
        median_ms=_ms(evidence.median_s),
        median_ci_ms=(round(interval[0] * 1000, 3), round(interval[1] * 1000, 3)) if interval else None,
        mean_ms=_ms(float(latencies.mean()) if len(latencies) else None),
        p95_ms=_ms(percentile(latencies, 0.95)),
        p99_ms=_ms(percentile(latencies, 0.99)),
        max_ms=_ms(evidence.slowest_s),
        throughput_rps=None if evidence.rate_rps is None else round(evidence.rate_rps, 3),
        service_ms=settings.service_ms,
        # The mean is the median where every request takes the same time; with random ones it is not.
        predicted_median_ms=_ms(theory.latency_s) if predictable else None,
        predicted_mean_ms=round(theory.latency_s * 1000, 3),
        predicted_throughput_rps=round(theory.throughput_rps, 3),
        users_under_way=round(mean(each.mean for _, each in populations), 3) if populations else None,
        suspect_repeats=sum(not each.holds for _, each in populations),
        server=evidence.usage,
        client=_client_usage(counted.trials),
        valid=any(trial.valid for trial in trials) and not any(finding.severity == "error" for finding in found),
        findings=found,
    )
    return AnalysedCell(cell, tuple(counted.repeats_s))


def _evidence(read: Read, trials: Sequence[ClosedRecord], counted: Counted, theory: ClosedLoop) -> Evidence:
    """Return what the findings of a cell look at."""
    settings, latencies = read.experiment.settings(trials[0].variant), counted.latencies_s
    spans = [span_s(one) for one in counted.samples]
    return Evidence(
        trials=trials,
        plan=read.cpu_plans[trials[0].cpus],
        usage=_usage(counted.trials),
        duration_s=sum(spans),
        median_s=float(np.median(latencies)) if len(latencies) else None,
        slowest_s=float(latencies.max()) if len(latencies) else None,
        backlog=settings.backlog,
        runtime=read.run.runtime,
        populations=[
            (trial.repeat, each)
            for trial, one in zip(counted.trials, counted.samples, strict=True)
            if (each := population(one, trial.concurrency))
        ],
        medians_s=[
            (trial.repeat, float(np.median(one)))
            for trial, one in zip(counted.trials, counted.repeats_s, strict=True)
            if len(one)
        ],
        spans_s=spans,
        latencies_s=latencies,
        expected_s=theory.latency_s if settings.wait_distribution == "constant" else None,
        client_cpu_s=_sum([trial.client.cpu_s for trial in counted.trials]),
        rate_rps=len(latencies) / sum(spans) if sum(spans) > 0 else None,
    )


def _theory_s(read: Read) -> float:
    return sum(
        trial.requested
        / prediction(trial, read.models[trial.model].workers, read.experiment.settings(trial.variant)).throughput_rps
        for trial in read.trials
    )


def _latencies(samples: Sequence[Sample]) -> Array:
    return np.array([sample.latency_s for sample in samples if sample.status == 200 and sample.latency_s is not None])


def _usage(trials: Sequence[ClosedRecord]) -> ServerUsage:
    """Sum up what the server used over all repeats, None as soon as one is unknown; peaks are the highest known."""
    usages = [trial.server for trial in trials]
    threads = [usage.threads_peak for usage in usages if usage.threads_peak is not None]
    memory = [usage.rss_peak_bytes for usage in usages if usage.rss_peak_bytes is not None]
    overflows, drops = (
        _sum([usage.listen_overflows for usage in usages]),
        _sum([usage.listen_drops for usage in usages]),
    )
    return ServerUsage(
        cpu_s=_sum([usage.cpu_s for usage in usages]),
        throttled_s=_sum([usage.throttled_s for usage in usages]),
        threads_peak=max(threads, default=None),
        rss_peak_bytes=max(memory, default=None),
        listen_overflows=None if overflows is None else int(overflows),
        listen_drops=None if drops is None else int(drops),
    )


def _client_usage(trials: Sequence[ClosedRecord]) -> ClientUsage:
    """Sum up CPU time; the ceiling is the same for all trials, so the highest measured is nearest to it."""
    ceilings = [trial.client.ceiling_rps for trial in trials if trial.client.ceiling_rps is not None]
    again = _sum([trial.client.syn_retransmits for trial in trials])
    return ClientUsage(
        cpu_s=_sum([trial.client.cpu_s for trial in trials]),
        ceiling_rps=max(ceilings, default=None),
        syn_retransmits=None if again is None else int(again),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 6) if known and len(known) == len(values) else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
