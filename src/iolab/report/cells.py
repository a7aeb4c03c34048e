"""Cells of any kind of run, as summary.json has them: their names, their figures, and one of them by name."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iolab.errors import UsageError
from iolab.results.records import Finding
from iolab.theory.between_runs import Within
from iolab.theory.statistics import Array

Cell = Mapping[str, Any]


@dataclass(frozen=True)
class RunCell:
    """A cell of one run, as runs are compared: `values` as summary.json has them, and its findings.

    By the names of figures, `within` has the errors that the run's own repeats give, and `resolution` the distance of
    values that can be measured, in their unit. `times_s` are the response times of all its requests. Each is empty
    where nothing is known.
    """

    values: Cell
    findings: Sequence[Finding] = ()
    within: Mapping[str, Within] = field(default_factory=dict)
    resolution: Mapping[str, float] = field(default_factory=dict)
    times_s: Sequence[float] | Array = ()

    @property
    def valid(self) -> bool:
        """Whether its numbers count."""
        return bool(self.values.get("valid", True))


def run_cells(cells: Sequence[Cell]) -> list[RunCell]:
    """Return the cells of a run that has no more than summary.json."""
    return [RunCell(cell, [Finding.model_validate(each) for each in cell.get("findings", ())]) for cell in cells]


def name_of(cell: Cell, key: Sequence[str]) -> str:
    """Return a cell's name: the fields of its key that have a value."""
    return ", ".join(f"{name.replace('_', ' ')} {cell[name]}" for name in key if cell.get(name) not in (None, ""))


def figure(cell: Cell, metric: str) -> float | None:
    """Return a number of a cell, or of one of its tables for a metric such as `clicks.p50_s`.

    None is missing or was not measured; "Infinity" never ended.
    """
    value: Any = cell
    for name in metric.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value == "Infinity":
        return math.inf
    return value if isinstance(value, int | float) else None


def label(metric: str) -> str:
    """Return the name of a figure as a reader sees it: clicks p50 s."""
    return metric.replace("_", " ").replace(".", " ")


def find(cells: Sequence[Cell], key: Sequence[str], wanted: str) -> Cell:
    """Return the one cell whose key contains all words of `wanted`; raises UsageError with a list of cells."""
    if not cells:
        raise UsageError(f"CELL={wanted}: this run has no cell: no trial of it has ended")
    words = wanted.lower().replace(",", " ").split()
    named = {name_of(cell, key): cell for cell in cells}
    found = [named[wanted]] if wanted in named else []
    found = found or [
        cell
        for cell in cells
        if words and set(words) <= set(" ".join(str(cell.get(name)).lower() for name in key).replace(",", " ").split())
    ]
    found = [cell for cell in found if str(cell.get(key[0])).lower() == words[0]] or found
    if len(found) != 1:
        raise UsageError(f"CELL={wanted} matches {len(found)} cells of this run; choose one: {'; '.join(named)}")
    return found[0]


def flat(cell: Cell, key: Sequence[str], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a cell's figures, those of its tables under the table's name."""
    for name, value in cell.items():
        if isinstance(value, Mapping):
            yield from flat(value, (), f"{before}{name} ")
        elif name != "findings" and name not in key:
            yield f"{before}{name}", value
