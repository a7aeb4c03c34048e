"""One benchmark from question to run folder: the plan, the place, the measuring."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iolab import environment, experiment
from iolab.bench import Bench, Observer
from iolab.experiment import Experiment, Trial
from iolab.lab import Lab, Model
from iolab.loadgen.opening import opener
from iolab.records import CpuPlanInfo, ModelInfo, RunInfo, Status
from iolab.runfolder import RunFolder
from iolab.runtime.choice import Place
from iolab.signals import Interrupted


@dataclass(frozen=True)
class Plan:
    """What is to be measured, in which order."""

    lab: Lab
    experiment: Experiment
    models: tuple[Model, ...]
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Outcome:
    """Where the run is, and how a command ends that has made it."""

    folder: RunFolder
    exit_status: int


def plan(root: Path, path: Path | None, changes: Mapping[str, Any]) -> Plan:
    """Read the experiment (by default experiments/bench.toml) with its changes; raises UsageError."""
    wanted = experiment.read(path or root / "experiments" / "bench.toml", changes)
    lab = Lab.read(root, wanted.server.variables())
    models = lab.select(wanted.models)
    return Plan(lab, wanted, models, tuple(experiment.trials(wanted, models)))


def measure(planned: Plan, place: Place, results: Path, observer: Observer) -> Outcome:
    """Run all trials into a new run folder in `results`; what is measured by the time of an interruption stays."""
    began = time.monotonic()
    settings = planned.experiment.server
    folder = RunFolder.create(results, planned.experiment.name)
    info = _info(planned, place)
    folder.write_run(info)
    bench = Bench(
        runtime=place.runtime,
        open_generator=opener(place.generator),
        models=planned.models,
        plans=place.plans,
        settings=settings,
        folder=folder,
        observer=observer,
    )
    status: Status = "failed"
    exit_status = 1
    try:
        if bench.run(planned.trials):
            status, exit_status = "complete", 0
    except Interrupted as interrupted:
        status, exit_status = "partial", interrupted.exit_status
    finally:
        folder.write_run(info.ended(status, time.monotonic() - began))
    return Outcome(folder, exit_status)


def _info(planned: Plan, place: Place) -> RunInfo:
    return RunInfo(
        experiment=planned.experiment.model_dump(mode="json", by_alias=True),
        models=tuple(
            ModelInfo(letter=model.letter, title=model.title, service=model.name, workers=model.workers)
            for model in planned.models
        ),
        runtime=place.runtime.name,
        runtime_reason=place.reason,
        generator=place.generator,
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
        theory_s=round(experiment.theoretical_duration_s(planned.trials, planned.models, planned.experiment.server), 3),
        started=datetime.now(UTC),
    )
