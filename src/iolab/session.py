"""One benchmark from question to run folder: the plan, the place, the measuring."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from iolab import experiment
from iolab.bench import Bench, Observer
from iolab.errors import UsageError
from iolab.experiment import Experiment, Trial
from iolab.host import environment
from iolab.host.signals import Interrupted
from iolab.kinds.closed.precision import Precision, until
from iolab.lab import Lab, Model
from iolab.loadgen.opening import opener
from iolab.results.folder import RunFolder
from iolab.results.records import ClosedRecord, CpuPlanInfo, ModelInfo, RunInfo, Sample, Status
from iolab.runtime.choice import Place
from iolab.theory.statistics import RESOLUTION_S


@dataclass(frozen=True)
class Plan:
    """What is to be measured, in which order."""

    lab: Lab
    experiment: Experiment
    models: tuple[Model, ...]
    trials: tuple[Trial, ...]
    begun: RunFolder | None = None  # goes on in this folder, with the trials that it lacks


@dataclass(frozen=True)
class Outcome:
    """Where the run is, and how a command ends that has made it."""

    folder: RunFolder
    exit_status: int


class Watched:
    """An observer that hands on what it sees, and keeps what is to be known of precision."""

    def __init__(self, observer: Observer, precision: Precision) -> None:
        self._observer, self.precision = observer, precision
        self.done: list[Trial] = []
        self.valid = True

    def remember(self, folder: RunFolder, planned: Iterable[Trial]) -> None:
        """Take note of what a run had before it was interrupted; `planned` are its trials in order, without end."""
        records = {record.index: record for record in folder.read_trials(ClosedRecord)}
        for trial in islice(planned, max(records, default=-1) + 1):
            if record := records.get(trial.index):
                self.done.append(trial)
                self.valid = self.valid and record.valid
                self.precision.add(record, folder.read_rows(record.rows, "requests", Sample))

    def started(self, trial: Trial) -> None:
        """Hand it on."""
        self.done.append(trial)
        self._observer.started(trial)

    def finished(self, record: ClosedRecord, samples: Sequence[Sample]) -> None:
        """Hand it on, and add it to what is known."""
        self.precision.add(record, samples)
        self._observer.finished(record, samples)


def plan(root: Path, path: Path | None, changes: Mapping[str, Any]) -> Plan:
    """Read the experiment (by default experiments/bench.toml) with its changes; raises UsageError."""
    wanted = experiment.read(path or root / "experiments" / "bench.toml", changes)
    lab = Lab.read(root, wanted.server.variables())
    models = lab.select(wanted.models)
    return Plan(lab, wanted, models, tuple(experiment.trials(wanted, models)))


def resumed(root: Path, path: Path) -> Plan:
    """Return the plan of a run that was interrupted; raises UsageError where there is nothing to go on with."""
    folder = RunFolder.open(path)
    run = folder.read_run()
    if run.experiment.get("crowd"):
        raise UsageError(f"{path} is a crowd's run, which cannot go on: its report says what it has; begin another")
    if run.status == "complete":
        raise UsageError(f"{path} is complete: there is nothing to go on with")
    wanted = experiment.recorded(folder, run)
    lab = Lab.read(root, wanted.server.variables())
    models = lab.select([model.service for model in run.models])
    return Plan(lab, wanted, models, tuple(experiment.trials(wanted, models)), folder)


def measure(planned: Plan, place: Place, results: Path, observer: Observer) -> Outcome:
    """Run all trials into a new run folder in `results`; what is measured by the time of an interruption stays."""
    began = time.monotonic()
    folder = planned.begun or RunFolder.create(results, planned.experiment.name)
    begun = info(planned, place)
    earlier_s = 0.0
    wanted = planned.experiment.precision
    if wanted is not None:
        import_module("scipy.special")  # an interruption in the middle of an import would break the report
    watch = Watched(observer, Precision(wanted or 1.0, RESOLUTION_S[place.generator]))
    if planned.begun:
        before = folder.read_run()
        _check_same_place(before, begun)
        begun = before
        earlier_s = before.wall_s or 0.0
        watch.remember(folder, chain.from_iterable(experiment.rounds(planned.experiment, planned.models)))
        folder.drop_cut_line()
    done = frozenset(trial.index for trial in watch.done)
    folder.write_run(begun)
    status: Status = "failed"
    exit_status = 1
    bench = Bench(
        runtime=place.runtime,
        open_generator=opener(place.generator),
        models=planned.models,
        plans=place.plans,
        settings=planned.experiment.settings,
        folder=folder,
        observer=watch,
    )
    trials = until(
        experiment.rounds(planned.experiment, planned.models),
        planned.experiment.repeats,
        enough=lambda: wanted is None or watch.precision.reached(),
        out_of_time=lambda: earlier_s + time.monotonic() - began > planned.experiment.budget_s,
    )
    try:
        if bench.run(trial for trial in trials if trial.index not in done) and watch.valid:
            status, exit_status = "complete", 0
    except Interrupted as interrupted:
        status, exit_status = "partial", interrupted.exit_status
    finally:
        more = {}
        if wanted is not None and len(watch.done) > len(planned.trials):
            theory_s = experiment.theoretical_duration_s(watch.done, planned.models, planned.experiment)
            more = {"trials_planned": len(watch.done), "theory_s": round(theory_s, 3)}
        folder.write_run(begun.ended(status, earlier_s + time.monotonic() - began, **more))
    return Outcome(folder, exit_status)


def _check_same_place(before: RunInfo, now: RunInfo) -> None:
    """Raise UsageError where the rest of a run would be measured otherwise than its beginning."""
    pairs = {
        "runtime": (before.runtime, now.runtime),
        "load generator": (before.generator, now.generator),
        "cores": (before.cpu_plans, now.cpu_plans),
    }
    for name, (then, today) in pairs.items():
        if then != today:
            raise UsageError(f"the run was begun with another {name}: it cannot go on here (was {then}, is {today})")


def info(planned: Plan, place: Place, generator: Literal["hey", "locust", "crowd"] | None = None) -> RunInfo:
    """Return what run.json says of a run that begins."""
    return RunInfo(
        experiment=planned.experiment.model_dump(mode="json", by_alias=True),
        models=tuple(
            ModelInfo(letter=model.letter, title=model.title, service=model.name, workers=model.workers)
            for model in planned.models
        ),
        runtime=place.runtime.name,
        runtime_reason=place.reason,
        generator=generator or place.generator,
        cpu_plans=tuple(
            CpuPlanInfo(
                cpus=one.cpus,
                server=one.server,
                loadgen=one.loadgen,
                shared=one.shared,
                pinned=place.runtime.pinned,
            )
            for one in place.plans.values()
        ),
        environment=environment.facts(planned.models, place.runtime.name, place.runtime.facts()),
        trials_planned=len(planned.trials),
        fresh_servers=place.runtime.starts_are_cheap,
        theory_s=round(experiment.theoretical_duration_s(planned.trials, planned.models, planned.experiment), 3),
        started=datetime.now(UTC),
    )
