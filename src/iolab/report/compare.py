"""Cells of any kind of run, from summary.json: the comparison of two runs, and all figures of one cell."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from iolab.errors import UsageError

Cell = Mapping[str, Any]


class Compared(NamedTuple):
    """One figure of one cell in two runs; `ratio` is second / first; its 95% interval is None if it is not known."""

    cell: str
    metric: str
    first: float
    second: float
    ratio: float | None
    interval: tuple[float, float] | None
    not_valid: tuple[str, ...] = ()  # in which of the two runs the cell is not valid

    @property
    def verdict(self) -> str:
        """The conclusion from the interval."""
        if self.interval is None:
            return "no interval: too few repeats to show a difference"
        if self.interval[0] <= 1 <= self.interval[1]:
            return "no difference shown"
        return "higher" if self.interval[0] > 1 else "lower"


def name_of(cell: Cell, key: Sequence[str]) -> str:
    """Return a cell's name: the fields of its key that have a value."""
    return ", ".join(f"{name.replace('_', ' ')} {cell[name]}" for name in key if cell.get(name) not in (None, ""))


def compare(
    first: Sequence[Cell], second: Sequence[Cell], key: Sequence[str], metrics: Sequence[str]
) -> list[Compared]:
    """Return the figures of all cells that both runs have, in the order of the first."""
    found = []
    for cell, other in in_both(first, second, key):
        not_valid = tuple(which for which, one in (("first", cell), ("second", other)) if not one.get("valid", True))
        for metric in metrics:
            one, two = figure(cell, metric), figure(other, metric)
            if one is not None and two is not None:
                ratio = two / one if one and math.isfinite(one) and math.isfinite(two) else None
                found.append(Compared(name_of(cell, key), metric, one, two, ratio, None, not_valid))
    return found


def in_both(first: Sequence[Cell], second: Sequence[Cell], key: Sequence[str]) -> list[tuple[Cell, Cell]]:
    """Return the cells that both runs have, in the order of the first."""
    others = {tuple(cell.get(name) for name in key): cell for cell in second}
    pairs = [(cell, others.get(tuple(cell.get(name) for name in key))) for cell in first]
    return [(cell, other) for cell, other in pairs if other is not None]


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


def why_nothing(first: Sequence[Cell], second: Sequence[Cell], key: Sequence[str]) -> str:
    """Say why two runs cannot be compared: one has no cells, no cell is in both, or shared cells have no figures."""
    for which, cells in (("first", first), ("second", second)):
        if not cells:
            return f"the {which} has no cell: no trial of it has ended"
    if both := in_both(first, second, key):
        names = "; ".join(name_of(cell, key) for cell, _ in both)
        return f"the cells that are in both have no figure in both ({names})"
    return f"they have no cell in common: {_apart(first, second, key)}"


def _apart(first: Sequence[Cell], second: Sequence[Cell], key: Sequence[str]) -> str:
    for name in key:
        one, other = ({str(cell.get(name)) for cell in cells} for cells in (first, second))
        if not one & other:
            first_names, second_names = (", ".join(sorted(names)) or "missing" for names in (one, other))
            return f"{name} is {first_names} in the first and {second_names} in the second"
    return f"no combination of {', '.join(key)} is in both"


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
