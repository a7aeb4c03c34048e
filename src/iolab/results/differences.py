"""In what runs differ, besides their results: settings and machines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # pydantic is large, and the page that lists runs needs the names alone
    from iolab.results.run_info import RunInfo

NO_CONDITIONS = ("name", "question", "models", "course")  # settings that change nothing measured, or are named apart
MACHINE = ("cpu", "cores", "kernel", "machine", "iolab")  # facts of the environment


class Setting(NamedTuple):
    """A setting, or a fact of the machine, that is not the same in all runs: its values in each side, as texts.

    A side whose runs agree has one value.
    """

    name: str
    values: tuple[tuple[str, ...], ...]


def differing(sides: Sequence[Sequence["RunInfo"]]) -> list[Setting]:
    """Return what differs between any two runs: settings first, then facts of the machines."""
    conditions = [[dict(_conditions(run)) for run in side] for side in sides]
    names = dict.fromkeys(name for side in conditions for run in side for name in run)
    found = [
        Setting(name, tuple(tuple(dict.fromkeys(_text(run.get(name)) for run in side)) for side in conditions))
        for name in names
    ]
    return [each for each in found if len({value for side in each.values for value in side}) > 1]


def uneven(settings: Sequence[Setting]) -> list[Setting]:
    """Return those in which runs of the same side differ, so that they are no repetitions of each other."""
    return [each for each in settings if any(len(side) > 1 for side in each.values)]


def _conditions(run: "RunInfo") -> Iterator[tuple[str, Any]]:
    yield "runtime", run.runtime
    yield "load generator", run.generator
    yield "models", ", ".join(model.letter for model in run.models)
    yield from ((name, value) for name, value in _settings(run.experiment) if name not in NO_CONDITIONS)
    yield from ((name, run.environment.get(name)) for name in MACHINE)


def _settings(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{before}{name} ")
        else:
            yield f"{before}{name}", value


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_text(each) for each in value)
    return "default" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
