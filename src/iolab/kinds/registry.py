"""The kinds of experiments: a line each. A kind is imported when it is asked for."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import ValidationError

from iolab import experiment
from iolab.errors import UsageError
from iolab.experiment import Experiment
from iolab.results.folder import DAMAGED, RunFolder
from iolab.results.records import RunInfo

if TYPE_CHECKING:
    from iolab.kind import AnyKind

E = TypeVar("E", bound=Experiment)


class Entry(NamedTuple):
    """A kind: the command that measures it, and the package that is it."""

    command: str
    package: str


KINDS = {
    "closed": Entry("bench", "closed"),
    "open": Entry("queue", "open"),
    "slo": Entry("slo", "slo"),
    "crowd": Entry("crowd", "crowd"),
    "faults": Entry("faults", "faults"),
    "freeze": Entry("freeze", "freeze"),
    "break": Entry("break", "breaking"),
    "chess": Entry("chess", "chess"),
}


def kind(name: str) -> "AnyKind":
    """Return a kind by its name; raises UsageError where there is no such kind."""
    if name not in KINDS:
        raise UsageError(f"kind = {name!r}: there is no such kind of experiment; there are {', '.join(KINDS)}")
    found: AnyKind = import_module(f"iolab.kinds.{KINDS[name].package}.kind").KIND
    return found


def kind_of(folder: RunFolder) -> "AnyKind":
    """Return the kind of a run; raises UsageError where run.json is damaged or says a kind that there is not."""
    name = folder.read_run().kind
    if name not in KINDS:
        there = f"there is no such kind of experiment; there are {', '.join(KINDS)}"
        raise UsageError(f"{folder.path / 'run.json'}: kind = {name!r}: {there}; {DAMAGED}")
    return kind(name)


def read(path: Path, changes: Mapping[str, Any], settings: type[E]) -> E:
    """Read an experiment's TOML file with changes; raises UsageError where it is not of that kind."""
    name = experiment.kind_of(path)
    check(name, settings, path.name, f"EXPERIMENT={path}")
    return experiment.parsed(path, changes, settings)


def recorded(folder: RunFolder, run: RunInfo, settings: type[E]) -> E:
    """Return the experiment that a run measured; raises UsageError where it is of another kind, or damaged."""
    if kind(run.kind).settings is not settings:
        raise UsageError(f"{folder.path} is a run of kind {run.kind}, which this does not read")
    try:
        return settings.model_validate(run.experiment)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{folder.path / 'run.json'}: experiment.{where}: {first['msg']}") from error


def check(name: str, settings: type[Experiment], what: str, given: str) -> None:
    """Raise UsageError, which names the right command, where `name` is not the kind with these settings."""
    if kind(name).settings is not settings:
        raise UsageError(f"{what} is of kind {name}: make {KINDS[name].command} {given}")


def course_answer(results: Path, users: int) -> list[str]:
    """Return what runs in `results`, of whatever kind, answer to the course's question about so many chat users."""
    return [paragraph for name in KINDS for paragraph in kind(name).course_answer(results, users)]
