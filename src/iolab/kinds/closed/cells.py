"""From a run folder to its cells: each measurement with its prediction and its findings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import mean
from typing import Any

import numpy as np

from iolab.experiment import ServerSettings
from iolab.host.limits import OPEN_FILES
from iolab.host.proc import BACKLOG_MAX, LINEAR_TIMEOUTS, SETTINGS
from iolab.kinds import recorded
from iolab.kinds.closed import percentiles, usage
from iolab.kinds.closed.evidence import Evidence
from iolab.kinds.closed.findings import findings
from iolab.kinds.closed.plan import constant, prediction
from iolab.kinds.closed.records import Cell, ClosedRecord
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.results.folder import RunFolder
from iolab.results.possible import within
from iolab.results.run_info import ModelInfo, RunInfo
from iolab.results.samples import Sample
from iolab.theory.closed_loop import ClosedLoop, behind_short_queue, closed_loop, even
from iolab.theory.littles_law import Steady, population, span_s, steady
from iolab.theory.statistics import RESOLUTION_S, Array, percentile

Read = recorded.Recorded[ClosedExperiment, ClosedRecord]
OWN_DESCRIPTORS = 2  # that waitress counts, too: its listening socket and its trigger
MOST_UTILISATION = 1.1  # measured: rate and service time are known to some percent
ALLOWANCE_S, ALLOWANCE_SHARE = 10.0, 0.25  # what a benchmark may add to the time of its requests


@dataclass(frozen=True)
class AnalysedCell:
    """A cell and the response times, in seconds, of its requests with a response, one array a repeat."""

    cell: Cell
    repeats_s: tuple[Array, ...]
    steady_rps: tuple[float, ...] = ()  # the throughput of each repeat's steady window

    @property
    def latencies_s(self) -> Array:
        """The response times of all repeats together."""
        return np.concatenate(self.repeats_s) if self.repeats_s else np.empty(0)


@dataclass(frozen=True)
class Counted:
    """The repeats of a cell that count: their trials, requests, response times, and steady windows."""

    trials: Sequence[ClosedRecord]
    samples: Sequence[Sequence[Sample]]
    repeats_s: Sequence[Array]
    steady: Sequence[Steady]

    @classmethod
    def of(cls, folder: RunFolder, trials: Sequence[ClosedRecord]) -> "Counted":
        """Read the requests of a cell's trials; trials that are not valid count where there are no others."""
        counted = [trial for trial in trials if trial.valid] or [trial for trial in trials if trial.ok]
        samples = [folder.rows_of(trial, "requests", Sample, trial.sent) for trial in counted]
        windows = [steady(one, trial.concurrency) for trial, one in zip(counted, samples, strict=True)]
        return cls(counted, samples, [_latencies(one) for one in samples], [one for one in windows if one])

    @cached_property
    def latencies_s(self) -> Array:
        """The response times of all of them together."""
        return np.concatenate(self.repeats_s) if self.repeats_s else np.empty(0)

    @property
    def steady_rps(self) -> float | None:
        """The throughput of the steady windows of all of them together; None where there is none."""
        steady_s = sum(one.end_s - one.begin_s for one in self.steady)
        return sum(one.answered for one in self.steady) / steady_s if steady_s else None


@dataclass(frozen=True)
class Analysis:
    """All that a report says."""

    run: RunInfo
    experiment: ClosedExperiment
    cells: tuple[AnalysedCell, ...]
    trials_done: int
    theory_s: float | None  # what the requests of all trials take in theory, without ramps; None: not known
    chat_answer: tuple[str, ...] = ()  # to the course's last question, from a crowd that was measured

    @property
    def allowance_s(self) -> float | None:
        """The time that the benchmark may take: that of its requests, 25% more, and 10 s; None: not known."""
        if self.theory_s is None:
            return None
        return self.theory_s * (1 + ALLOWANCE_SHARE) + ALLOWANCE_S


def analyse(folder: RunFolder) -> Analysis:
    """Read and analyse the run folder of a closed loop; raises UsageError where it cannot be read."""
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
    theory = _prediction(read, first) if read.experiment.predictable else None
    backlog = _backlog(read.run, model, settings)
    short = (
        behind_short_queue(first.concurrency, backlog, settings.wait_ms / 1000, settings.cpu_ms / 1000, first.cpus)
        if backlog
        else None
    )
    evidence = replace(
        _evidence(read, trials, counted, short or theory, short=short is not None),
        **_limited(read, first, model, settings),
        **_pooled(read, first, model, settings),
    )
    found = findings(evidence)
    latencies, populations = counted.latencies_s, evidence.populations
    places = min(model.workers, settings.connections)
    predictable = constant(model, settings) and even(first.concurrency, places)
    best = short or theory
    steady_rps = counted.steady_rps
    finite = theory and steady_rps is not None and math.isfinite(places)
    busy_ms = settings.service_ms if places == model.workers else settings.wait_ms  # of a worker, or of a connection
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
        mean_ms=_ms(float(latencies.mean()) if len(latencies) else None),
        max_ms=_ms(evidence.slowest_s),
        **percentiles.figures(counted.repeats_s, RESOLUTION_S[read.run.generator], read.experiment.precision),
        throughput_rps=None if evidence.rate_rps is None else round(evidence.rate_rps, 3),
        steady_rps=None if steady_rps is None else round(steady_rps, 3),
        utilisation=_utilisation(steady_rps or 0.0, busy_ms, places) if finite else None,
        service_ms=settings.service_ms if theory else None,
        backlog=backlog,
        # The mean is the median where every request takes the same time; with random service times it is not.
        predicted_median_ms=_ms(best.latency_s) if best and predictable else None,
        predicted_mean_ms=_ms(theory.latency_s if theory else None),
        predicted_throughput_rps=round(theory.throughput_rps, 3) if theory else None,
        users_under_way=round(mean(each.mean for _, each in populations), 3) if populations else None,
        suspect_repeats=sum(not each.holds for _, each in populations),
        server=evidence.usage,
        client=usage.client(counted.trials),
        valid=any(trial.valid for trial in trials) and not any(finding.severity == "error" for finding in found),
        findings=found,
    )
    return AnalysedCell(cell, tuple(counted.repeats_s), tuple(one.throughput_rps for one in counted.steady))


def _utilisation(rate_rps: float, service_ms: float, workers: float) -> float | None:
    """Return the utilisation of each worker, or connection; None if it is too high: the service time is another one."""
    return within(round(rate_rps * service_ms / 1000 / workers, 4), 0, MOST_UTILISATION)


def _backlog(run: RunInfo, model: ModelInfo, settings: ServerSettings) -> int | None:
    """Return the listen backlog of a server that accepts a connection only to serve it; None: not so, or not known.

    The kernel limits it to net.core.somaxconn (listen(2)), where that is known.
    """
    if model.backlog is None or model.workers > 1:  # theory of a short queue is that of one worker
        return None
    wanted = settings.backlog or model.backlog
    return min(wanted, int(run.environment.get(SETTINGS, {}).get(BACKLOG_MAX, wanted)))


def _limited(read: Read, first: ClosedRecord, model: ModelInfo, settings: ServerSettings) -> dict[str, Any]:
    """Return what a connection limit below the users means for a pool: how many connections it accepts, and theory."""
    fixed = model.connection_limit is not None
    limit = model.connection_limit or settings.connection_limit or first.concurrency + OWN_DESCRIPTORS
    accepted = limit - OWN_DESCRIPTORS
    unlimited = accepted >= first.concurrency or math.isinf(model.workers) or read.experiment.running
    if unlimited or not constant(model, settings):
        return {}
    wait_s, cpu_s = settings.wait_ms / 1000, settings.cpu_ms / 1000
    at_once, connections = read.run.at_once(model), settings.connections
    fewer = closed_loop(accepted, model.workers, wait_s, cpu_s, first.cpus, at_once, connections)
    variants = read.experiment.variants
    varies = len({read.experiment.settings(each).connection_limit for each in variants}) > 1
    return {"accepted": accepted, "accepted_s": fewer.latency_s, "limit_varies": varies, "limit_fixed": fixed}


def _pooled(read: Read, first: ClosedRecord, model: ModelInfo, settings: ServerSettings) -> dict[str, Any]:
    """Return what theory says without the pool of connections to the downstream service, where it is the limit."""
    without = prediction(first, model, settings.model_copy(update={"downstream": 0}), read.run.at_once(model))
    if without.latency_s >= _prediction(read, first).latency_s or not constant(model, settings):
        return {}
    varies = len(read.experiment.downstreams) > 1
    bound = {"connections": settings.downstream, "unpooled_s": without.latency_s, "connections_vary": varies}
    return {**bound, "workers": model.workers}


def _evidence(
    read: Read, trials: Sequence[ClosedRecord], counted: Counted, theory: ClosedLoop | None, *, short: bool
) -> Evidence:
    """Return what the findings of a cell look at; `short` says that its accept queue is shorter than its users."""
    experiment = read.experiment
    own = read.models[trials[0].model].backlog
    settings, latencies = read.experiment.settings(trials[0].variant), counted.latencies_s
    spans = [span_s(one) for one in counted.samples]
    return Evidence(
        trials=trials,
        plan=read.cpu_plans[trials[0].cpus],
        usage=usage.server(counted.trials),
        duration_s=sum(spans),
        median_s=percentile(latencies, 0.5),
        slowest_s=float(latencies.max()) if len(latencies) else None,
        backlog=settings.backlog or own,
        short_queue=short,
        backlog_varies=len({experiment.settings(each).backlog for each in experiment.variants}) > 1,
        client=usage.client(counted.trials),
        linear_timeouts=read.run.environment.get(SETTINGS, {}).get(LINEAR_TIMEOUTS),
        open_files=_open_files(read.run.environment.get(OPEN_FILES)),
        runtime=read.run.runtime,
        populations=[
            (trial.repeat, each)
            for trial, one in zip(counted.trials, counted.samples, strict=True)
            if (each := population(one, trial.concurrency))
        ],
        medians_s=[
            (trial.repeat, median_s)
            for trial, one in zip(counted.trials, counted.repeats_s, strict=True)
            if (median_s := percentile(one, 0.5)) is not None
        ],
        spans_s=spans,
        latencies_s=latencies,
        expected_s=theory.latency_s if theory and constant(read.models[trials[0].model], settings) else None,
        rate_rps=len(latencies) / sum(spans) if sum(spans) > 0 else None,
        random_service=settings.wait_distribution == "exponential",
    )


def _open_files(recorded: object) -> int | None:
    return recorded if isinstance(recorded, int) and recorded > 0 else None


def _theory_s(read: Read) -> float | None:
    if not read.experiment.predictable:
        return None
    return sum(trial.requested / _prediction(read, trial).throughput_rps for trial in read.trials)


def _prediction(read: Read, trial: ClosedRecord) -> ClosedLoop:
    model = read.models[trial.model]
    return prediction(trial, model, read.experiment.settings(trial.variant), read.run.at_once(model))


def _latencies(samples: Sequence[Sample]) -> Array:
    return np.array([sample.latency_s for sample in samples if sample.status == 200 and sample.latency_s is not None])


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
