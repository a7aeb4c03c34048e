"""From a run folder to its cells: every measurement beside its prediction, with its findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np

from iolab.errors import UsageError
from iolab.kinds import registry
from iolab.kinds.closed.evidence import Evidence
from iolab.kinds.closed.findings import findings
from iolab.kinds.closed.plan import prediction
from iolab.kinds.closed.records import Cell, ClosedRecord, Summary
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.results.folder import RunFolder
from iolab.results.records import ClientUsage, CpuPlanInfo, ModelInfo, RunInfo, Sample, ServerUsage
from iolab.theory.closed_loop import closed_loop, even
from iolab.theory.littles_law import population, span_s
from iolab.theory.statistics import RESOLUTION_S, Array, median_interval, percentile

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
class Analysis:
    """All that a report says."""

    run: RunInfo
    experiment: ClosedExperiment
    cells: tuple[AnalysedCell, ...]
    trials_done: int
    theory_s: float  # what the requests of all trials take by themselves, the ramps of each left aside
    chat_answer: tuple[str, ...] = ()  # to the course's last question, of another run with so many chat users

    @property
    def summary(self) -> Summary:
        """What summary.json says."""
        cells = tuple(analysed.cell for analysed in self.cells)
        return Summary(experiment=self.experiment.name, runtime=self.run.runtime, status=self.run.status, cells=cells)

    @property
    def allowance_s(self) -> float:
        """The time that the benchmark may take: that of its requests, 25% of it, and 10 s."""
        return self.theory_s * (1 + ALLOWANCE_SHARE) + ALLOWANCE_S


def analyse(folder: RunFolder) -> Analysis:
    """Read a closed loop's run folder and work everything out; raises UsageError where it cannot be read."""
    run = folder.read_run()
    experiment = registry.recorded(folder, run, ClosedExperiment)
    trials = folder.read_trials(ClosedRecord)
    if run.status == "complete" and not trials:
        raise UsageError(f"{folder.path / 'trials.jsonl'} has none of the {run.trials_planned} trials of that run")
    cells = []
    for model in run.models:
        for cpus in experiment.cpus:
            for variant in experiment.variants:
                for concurrency in experiment.concurrency:
                    key = (model.letter, cpus, variant, concurrency)
                    mine = [t for t in trials if (t.model, t.cpus, t.variant, t.concurrency) == key]
                    if mine:
                        cells.append(_cell(folder, run, experiment, model, mine))
    return Analysis(run, experiment, tuple(cells), len(trials), _theory_s(run, experiment, trials))


def _cell(
    folder: RunFolder, run: RunInfo, experiment: ClosedExperiment, model: ModelInfo, trials: Sequence[ClosedRecord]
) -> AnalysedCell:
    # Trials that cannot be trusted are shown where there are no others: the cell says that it is not valid.
    counted = [trial for trial in trials if trial.valid and trial.rows] or [trial for trial in trials if trial.ok]
    samples = [_samples(folder, trial) for trial in counted]
    repeats = [_latencies(one) for one in samples]
    latencies = np.concatenate(repeats) if repeats else np.empty(0)
    spans = [span_s(one) for one in samples]
    populations = [
        (trial.repeat, each)
        for trial, one in zip(counted, samples, strict=True)
        if (each := population(one, trial.concurrency))
    ]
    first = trials[0]
    settings = experiment.settings(first.variant)
    theory = closed_loop(first.concurrency, model.workers, settings.wait_ms / 1000, settings.cpu_ms / 1000, first.cpus)
    predictable = settings.wait_distribution == "constant" and even(first.concurrency, model.workers)
    usage = _usage(counted)
    median_s = float(np.median(latencies)) if len(latencies) else None
    found = findings(
        Evidence(
            trials=trials,
            plan=_plan(folder, run, first.cpus),
            usage=usage,
            duration_s=sum(spans),
            median_s=median_s,
            slowest_s=float(latencies.max()) if len(latencies) else None,
            backlog=settings.backlog,
            runtime=run.runtime,
            populations=populations,
            medians_s=[
                (trial.repeat, float(np.median(one))) for trial, one in zip(counted, repeats, strict=True) if len(one)
            ],
            spans_s=spans,
            latencies_s=latencies,
            expected_s=theory.latency_s if settings.wait_distribution == "constant" else None,
            client_cpu_s=_sum([trial.client.cpu_s for trial in counted]),
            rate_rps=len(latencies) / sum(spans) if sum(spans) > 0 else None,
        )
    )
    interval = median_interval(repeats, RESOLUTION_S[run.generator])
    cell = Cell(
        model=model.letter,
        title=model.title,
        service=model.service,
        concurrency=first.concurrency,
        cpus=first.cpus,
        variant=first.variant,
        repeats=len(counted),
        requested=sum(trial.requested for trial in trials),
        sent=sum(trial.sent for trial in trials),
        ok=sum(trial.ok for trial in trials),
        counted=len(latencies),
        errors=sum(trial.errors for trial in trials),
        median_ms=_ms(median_s),
        median_ci_ms=(round(interval[0] * 1000, 3), round(interval[1] * 1000, 3)) if interval else None,
        mean_ms=_ms(float(latencies.mean()) if len(latencies) else None),
        p95_ms=_ms(percentile(latencies, 0.95)),
        p99_ms=_ms(percentile(latencies, 0.99)),
        max_ms=_ms(float(latencies.max()) if len(latencies) else None),
        throughput_rps=round(len(latencies) / sum(spans), 3) if sum(spans) > 0 else None,
        service_ms=settings.wait_ms + settings.cpu_ms,
        # The mean is the median where every request takes the same time; with random ones it is not.
        predicted_median_ms=_ms(theory.latency_s) if predictable else None,
        predicted_mean_ms=round(theory.latency_s * 1000, 3),
        predicted_throughput_rps=round(theory.throughput_rps, 3),
        users_under_way=round(mean(each.mean for _, each in populations), 3) if populations else None,
        suspect_repeats=sum(not each.holds for _, each in populations),
        server=usage,
        client=_client_usage(counted),
        valid=any(trial.valid for trial in trials) and not any(finding.severity == "error" for finding in found),
        findings=found,
    )
    return AnalysedCell(cell, tuple(repeats))


def _theory_s(run: RunInfo, experiment: ClosedExperiment, trials: Sequence[ClosedRecord]) -> float:
    workers = {model.letter: model.workers for model in run.models}
    return sum(
        trial.requested / prediction(trial, workers[trial.model], experiment.settings(trial.variant)).throughput_rps
        for trial in trials
        if trial.model in workers
    )


def _plan(folder: RunFolder, run: RunInfo, cpus: float) -> CpuPlanInfo:
    for plan in run.cpu_plans:
        if plan.cpus == cpus:
            return plan
    raise UsageError(f"{folder.path / 'run.json'} does not say which cores CPUS={cpus:g} meant: it is damaged")


def _samples(folder: RunFolder, trial: ClosedRecord) -> Sequence[Sample]:
    samples = folder.read_rows(trial.rows, "requests", Sample)
    if len(samples) != trial.sent:
        path = folder.path / trial.rows.get("requests", "samples")
        raise UsageError(f"{path} has {len(samples)} rows, and its trial {trial.sent} requests: it is damaged")
    return samples


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
