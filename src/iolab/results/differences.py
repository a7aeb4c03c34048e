"""In what two runs differ, besides their results: settings and machines."""

from collections.abc import Iterator, Mapping
from typing import Any

from iolab.results.records import RunInfo

NO_CONDITIONS = ("name", "question", "models", "course")  # settings that change nothing measured, or are named apart


def differing(first: RunInfo, second: RunInfo) -> list[tuple[str, str, str]]:
    """Return (name, first, second) for settings that differ between two runs, and for differences of the machines."""
    pairs: list[tuple[str, Any, Any]] = [
        ("runtime", first.runtime, second.runtime),
        ("load generator", first.generator, second.generator),
        ("models", _letters(first), _letters(second)),
    ]
    one_settings, other_settings = (dict(_settings(run.experiment)) for run in (first, second))
    names = [name for name in dict.fromkeys((*one_settings, *other_settings)) if name not in NO_CONDITIONS]
    pairs += [(name, one_settings.get(name), other_settings.get(name)) for name in names]
    here, there = first.environment, second.environment
    pairs += [(name, here.get(name), there.get(name)) for name in ("cpu", "cores", "kernel", "machine", "iolab")]
    return [(name, _text(one), _text(other)) for name, one, other in pairs if one != other]


def _letters(run: RunInfo) -> str:
    return ", ".join(model.letter for model in run.models)


def _settings(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{before}{name} ")
        else:
            yield f"{before}{name}", value


def _text(value: object) -> str:
    return "default" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
