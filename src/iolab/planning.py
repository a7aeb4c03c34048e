"""What is to be measured: an experiment's file and changes, or the rest of a run that was interrupted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

from iolab import options
from iolab.errors import UsageError
from iolab.experiment import Experiment
from iolab.kind import E
from iolab.kinds import registry
from iolab.lab import Lab, Model
from iolab.results.folder import RunFolder

RUNNING = "running"  # the experiment of a server that already runs


def file_of(root: Path, name: str, changes: Mapping[str, Any], given: Path | None) -> Path:
    """Return the file of a command's experiment: `given`, or `name`; with a URL that of a server that already runs.

    Raises UsageError where a URL and a file are given: the question of the file is about other servers.
    """
    running = changes.get("target", {}).get("url")
    if given and running:
        raise UsageError(
            "EXPERIMENT: leave it out with URL, or write the URL into the file, as url in a table [target]"
        )
    return given or root / "experiments" / f"{RUNNING if running else name}.toml"


@dataclass(frozen=True)
class Plan(Generic[E]):
    """What is to be measured; `file` is the experiment's TOML file, `begun` the run folder to go on in.

    `changed` has the settings that differ from those of the file, by their variables, as they are typed.
    """

    lab: Lab
    experiment: E
    models: tuple[Model, ...]
    begun: RunFolder | None = None
    file: str = ""
    quick: bool = False
    changed: Mapping[str, str] = field(default_factory=dict)


def plan(root: Path, path: Path, changes: Mapping[str, Any], settings: type[E], *, quick: bool = False) -> Plan[E]:
    """Read an experiment of the kind with those settings, `quick` or whole, with changes; raises UsageError."""
    experiment = registry.read(path, changes, settings, quick=quick)
    lab = Lab.read(root, experiment.variables())
    models = tuple(registry.kind(experiment.kind).models(experiment, lab))
    check_downstream(experiment, models)
    file = path.resolve()
    file = file.relative_to(root.resolve()) if file.is_relative_to(root.resolve()) else file
    unchanged = registry.read(path, {}, settings, quick=quick) if changes else experiment
    pairs = [(each, each.typed(experiment)) for each in options.settings(settings)]
    changed = {each.variable: typed for each, typed in pairs if typed != each.typed(unchanged)}
    if experiment.running and experiment.running.wait_ms:
        changed["WAIT_MS"] = f"{experiment.running.wait_ms:g}"
    return Plan(lab, experiment, models, file=str(file), quick=quick, changed=changed)


def check_downstream(experiment: Experiment, models: Sequence[Model]) -> None:
    """Raise UsageError if requests are to wait in the downstream service, and a model cannot do that."""
    most = max(experiment.downstreams)
    for model in models if most else ():
        if not model.can_wait_downstream:
            raise UsageError(
                f"DOWNSTREAM={most}: server {model.letter} ({model.name}) has no pool of connections to the downstream"
                " service: leave it out (MODELS)"
            )


def resumed(root: Path, path: Path, settings: type[E]) -> Plan[E]:
    """Return the plan of an interrupted run; raises UsageError if it cannot be resumed."""
    folder = RunFolder.open(path)
    kind, run = registry.kind_of(folder), folder.read_run()
    registry.check(run.kind, settings, str(path), f"RESUME={path}")
    experiment = registry.recorded(folder, run, settings)
    if kind.not_resumable:
        raise UsageError(f"RESUME={path}: {kind.not_resumable}: run it again")
    if run.status == "complete":
        raise UsageError(f"{path} is complete: there is nothing to resume")
    lab = Lab.read(root, experiment.variables())
    if experiment.running:
        return Plan(lab, experiment, tuple(kind.models(experiment, lab)), folder)
    return Plan(lab, experiment, lab.select([model.service for model in run.models], shown_too=True), folder)
