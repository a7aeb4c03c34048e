"""Reads a run folder: run.json, its experiment and trials.jsonl, which must belong together."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from iolab.errors import UsageError
from iolab.experiment import Experiment
from iolab.kinds import registry
from iolab.results.folder import RunFolder
from iolab.results.possible import possible
from iolab.results.records import TrialRecord
from iolab.results.run_info import CpuPlanInfo, ModelInfo, RunInfo

E = TypeVar("E", bound=Experiment)
R = TypeVar("R", bound=TrialRecord)


@dataclass(frozen=True)
class Recorded(Generic[E, R]):
    """A run, its experiment, its models by letter, its cores by CPU limit, its trials in the order of their lines."""

    run: RunInfo
    experiment: E
    models: dict[str, ModelInfo]
    cpu_plans: dict[float, CpuPlanInfo]
    trials: list[R]


def read(folder: RunFolder, settings: type[E], record: type[R]) -> Recorded[E, R]:
    """Read a run folder of the kind with these settings; raises UsageError if its files are damaged.

    A value of a trial that cannot be is not known (results/possible.py).

    The model, service, CPU limit and variant of a trial, if it has these fields, must be named in run.json.
    """
    run = folder.read_run()
    experiment = registry.recorded(folder, run, settings)
    trials = [possible(trial, run) for trial in folder.read_trials(record)]
    if run.status == "complete" and not trials:
        raise UsageError(f"{folder.path / 'trials.jsonl'} contains none of the {run.trials_planned} trials of this run")
    if not run.models:
        raise UsageError(f"{folder.path / 'run.json'} names no model: it is damaged")
    models = {model.letter: model for model in run.models}
    cpu_plans = {plan.cpus: plan for plan in run.cpu_plans}
    for limit in experiment.cpus if trials else ():
        if limit not in cpu_plans:
            raise UsageError(f"{folder.path / 'run.json'} does not name the cores of CPUS={limit:g}: it is damaged")
    named: dict[str, list[Any]] = {
        "model": list(models),
        "service": [model.service for model in run.models],
        "cpus": list(experiment.cpus),
        "variant": list(getattr(experiment, "variants", ("",))),
    }
    for trial in trials:
        for name, values in named.items():
            if hasattr(trial, name) and getattr(trial, name) not in values:
                raise not_of_the_run(folder, trial, f"{name} {getattr(trial, name)}")
    return Recorded(run, experiment, models, cpu_plans, trials)


def not_of_the_run(folder: RunFolder, trial: TrialRecord, what: str) -> UsageError:
    """Return the error for a trial with a value that run.json does not name."""
    return UsageError(
        f"{folder.path / 'trials.jsonl'}: trial {trial.index} has {what}, which run.json does not name:"
        " one of the two is damaged"
    )
