"""Rows that no measurement makes: too fast, more requests under way than users, trials in another seed's order."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Any

import numpy as np

from iolab.errors import LabError
from iolab.experiment import ServerSettings
from iolab.findings import NOT_CHECKED
from iolab.kind import History
from iolab.kinds import registry
from iolab.lab import Model
from iolab.learn.evidence import FoundRun, matches, setting
from iolab.learn.facts import Facts
from iolab.learn.flags import Flag, Handed
from iolab.learn.plan import Plan, Step
from iolab.results.records import TrialRecord
from iolab.results.run_info import ModelInfo
from iolab.results.samples import Sample
from iolab.service import Service
from iolab.theory.littles_law import TOLERANCE, population

EARLY_SHARE = 0.9  # of the wait: a timer can fire 1 ms early
ROUNDING_S = 0.0003  # of two times of hey
ALLOWED_S = 0.5  # between a load generator's clock and ours
LITTLE = "littles_law"
OF_A_CELL = ("model", "concurrency", "cpus", "variant")


def of_runs(handed: Handed, plan: Plan, servers: Mapping[str, Mapping[str, Any]]) -> Iterator[Flag]:
    """Yield what cannot be in the runs of a zip, each sentence once a run; `servers` are the usual settings by kind."""
    for run in handed.place.runs:
        steps = [step for step in plan if step.evidence.kind and matches(run.info, step.evidence, handed.values)]
        try:
            yield from _once(_of_run(run, steps, servers.get(run.info.kind, {})))
        except (LabError, OSError, ValueError) as error:
            what = str(error).replace(f"{handed.place.root}/", "")
            yield Flag("run_damaged", run.names[0], {"why": " ".join(what.split())[:200]})


def of_texts(facts: Facts, wait_ms: float) -> Iterator[Flag]:
    """Yield texts of hey in which a response is faster than the wait."""
    for name, fact in facts.all_of("hey").items():
        value = fact.values[0]
        if name.endswith(".fastest_ms") and value is not None and value < EARLY_SHARE * wait_ms:
            yield Flag("too_fast", fact.where, {"ms": f"{value:.3g}", "wait": f"{wait_ms:g}"})


def _once(flags: Iterator[Flag]) -> Iterator[Flag]:
    seen: set[str] = set()
    for flag in flags:
        if flag.id not in seen:
            seen.add(flag.id)
            yield flag


def _of_run(run: FoundRun, steps: Sequence[Step], usual: Mapping[str, Any]) -> Iterator[Flag]:
    assert run.run is not None  # noqa: S101 (of a FoundRun)
    kind, name = registry.kind(run.info.kind), run.names[0]
    experiment = registry.recorded(run.run, run.info, kind.settings)
    trials = run.run.read_trials(kind.record)
    yield from _parameters(run, steps, {**ServerSettings().model_dump(), **usual})
    if any("seed" in step.evidence.settings for step in steps):
        yield from _order(run, kind, experiment, trials)
    if kind.rows.get("requests") is Sample:
        for trial in trials:
            samples = run.run.rows_of(trial, "requests", Sample)
            settings = experiment.settings(getattr(trial, "variant", ""))
            yield from _of_trial(name, trial, samples, settings)
            yield from _of_users(run, trial, samples)


def _parameters(run: FoundRun, steps: Sequence[Step], servers: Mapping[str, Any]) -> Iterator[Flag]:
    """Yield a setting of the servers that is not that of the kind's experiment, and that no step asks for."""
    asked = {name for step in steps for name in step.evidence.settings}
    for name, usual in servers.items():
        found = setting(run.info, f"server.{name}")
        if found is not None and found != usual and f"server.{name}" not in asked:
            yield Flag(
                "other_parameter",
                run.names[0],
                {"setting": f"server.{name}", "is": str(found)[:60], "must": str(usual)},
            )


def _order(run: FoundRun, kind: Any, experiment: Any, trials: Sequence[TrialRecord]) -> Iterator[Flag]:
    """Yield whether the trials are not in the order that the run's seed gives: then it is not the seed they had."""
    assert run.run is not None  # noqa: S101
    endless = {"precision": None, "repeats": len(trials)}  # rounds that a precision has added are in order, too
    experiment = experiment.model_copy(update={k: v for k, v in endless.items() if hasattr(experiment, k)})
    planned = kind.plan(experiment, [_model(each) for each in run.info.models], History(run.run, run.info, []))
    done = sorted(trials, key=lambda trial: trial.index)
    for trial, plan in zip_longest(done, islice(planned, len(done))):
        if plan is None or any(
            getattr(trial, name) != getattr(plan, name) for name in ("index", "model", "concurrency")
        ):
            yield Flag("foreign_order", run.names[0], {"seed": str(setting(run.info, "seed"))})
            return


def _model(info: ModelInfo) -> Model:
    service = Service(info.service, "", None, (), {}, {}, (), ())
    return Model(info.letter, info.title, info.workers, service, info.backlog)


def _of_trial(name: str, trial: Any, samples: Sequence[Sample], settings: ServerSettings) -> Iterator[Flag]:
    if sum(each.status == 200 for each in samples) != trial.ok:
        yield Flag("rows_not_counted", name, {"trial": str(trial.index)})
    times = _times(samples)
    known = [each.latency_s for each in samples if each.status == 200 and each.latency_s is not None]
    fastest_s, wait_s = min(known, default=None), settings.wait_ms / 1000
    if settings.wait_distribution == "constant" and fastest_s is not None and fastest_s < EARLY_SHARE * wait_s:
        yield Flag("too_fast", name, {"ms": f"{fastest_s * 1000:.3g}", "wait": f"{settings.wait_ms:g}"})
    if not len(times):
        return
    if float(times.sum(axis=1).max()) > trial.duration_s + ALLOWED_S or float(times[:, 0].min()) < -ALLOWED_S:
        yield Flag("out_of_time", name, {"trial": str(trial.index)})


def _of_users(run: FoundRun, trial: Any, samples: Sequence[Sample]) -> Iterator[Flag]:
    """Yield whether more requests were under way than there are users, or fewer and nothing says why.

    Users that are missing at the two ends are the ramps, which every short trial has.
    """
    found = population(samples, trial.concurrency)
    if not found:
        return
    name, users, most = run.names[0], trial.concurrency, most_under_way(samples)
    with_ = {"trial": str(trial.index), "users": str(users), "mean": f"{found.mean:.1f}"}
    if most > users or found.mean > users * (1 + TOLERANCE):
        yield Flag("too_many", name, {**with_, "most": str(most)})
    if found.middle > TOLERANCE * users and not trial.errors and not _explained(run, trial):
        yield Flag("little_missed", name, with_)


def _explained(run: FoundRun, trial: Any) -> bool:
    """Return whether the cell of a trial has a finding besides that of Little's law; what was not checked is none."""
    cells = registry.kind(run.info.kind).report(run.run).cells if run.run else ()
    mine = [cell for cell in cells if all(cell.get(key) == getattr(trial, key) for key in OF_A_CELL)]
    return any(finding["id"] not in (LITTLE, NOT_CHECKED) for cell in mine for finding in cell.get("findings") or ())


def most_under_way(samples: Sequence[Sample]) -> int:
    """Return how many requests were under way at once; the rounding of their times is not counted."""
    times = _times(samples)
    begins, ends = np.sort(times[:, 0] + ROUNDING_S), np.sort(times.sum(axis=1))
    return int((np.arange(1, len(begins) + 1) - np.searchsorted(ends, begins, side="right")).max())


def _times(samples: Sequence[Sample]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return a row of start and response time for each request that has both."""
    known = [(each.start_s, each.latency_s) for each in samples if None not in (each.start_s, each.latency_s)]
    return np.array(known, dtype=float).reshape(-1, 2)
