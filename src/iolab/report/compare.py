"""Cells of any kind of run, as summary.json has them: two runs side by side, and all that is known of one cell."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from iolab.errors import UsageError

Cell = Mapping[str, Any]


class Compared(NamedTuple):
    """One figure of one cell in two runs; `ratio` is second to first, its 95% interval None where it is not known."""

    cell: str
    metric: str
    first: float
    second: float
    ratio: float | None
    interval: tuple[float, float] | None
    not_valid: tuple[str, ...] = ()  # which of the two runs measured a cell that is not valid

    @property
    def verdict(self) -> str:
        """What the interval allows to say."""
        if self.interval is None:
            return "no interval: too few repeats to tell a difference"
        if self.interval[0] <= 1 <= self.interval[1]:
            return "no difference shown"
        return "higher" if self.interval[0] > 1 else "lower"


def name_of(cell: Cell, key: Sequence[str]) -> str:
    """Return a cell's name: the fields that tell it apart, as far as they say something."""
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
    """Return a number of a cell, of one of its tables where the metric is named such as `clicks.p50_s`.

    None is what is not there or could not be measured; "Infinity" is what never ended.
    """
    value: Any = cell
    for name in metric.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value == "Infinity":
        return math.inf
    return value if isinstance(value, int | float) else None


def why_nothing(first: Sequence[Cell], second: Sequence[Cell], key: Sequence[str]) -> str:
    """Say why two runs cannot be compared: one has no cells, none is of both, or both lack the figures of those."""
    for which, cells in (("first", first), ("second", second)):
        if not cells:
            return f"the {which} has no cell: no trial of it has ended"
    if both := in_both(first, second, key):
        names = "; ".join(name_of(cell, key) for cell, _ in both)
        return f"no cell that they have in common has a figure in both ({names})"
    return f"they have no cell in common: {_apart(first, second, key)}"


def _apart(first: Sequence[Cell], second: Sequence[Cell], key: Sequence[str]) -> str:
    for name in key:
        one, other = ({str(cell.get(name)) for cell in cells} for cells in (first, second))
        if not one & other:
            here, there = (", ".join(sorted(names)) or "none" for names in (one, other))
            return f"{name} is {here} in one and {there} in the other"
    return f"{', '.join(key)} are not together in both"


def find(cells: Sequence[Cell], key: Sequence[str], wanted: str) -> Cell:
    """Return the one cell whose key has all the words of `wanted`; raises UsageError with those that there are."""
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
        raise UsageError(f"CELL={wanted}: {len(found)} cells of this run; say which one: {'; '.join(named)}")
    return found[0]


def flat(cell: Cell, key: Sequence[str], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a cell's figures, those of its tables under the table's name."""
    for name, value in cell.items():
        if isinstance(value, Mapping):
            yield from flat(value, (), f"{before}{name} ")
        elif name != "findings" and name not in key:
            yield f"{before}{name}", value
