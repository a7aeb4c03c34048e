"""Cells of any kind of run, as summary.json has them: two runs side by side, and all that is known of one cell."""

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
    others = {tuple(cell.get(name) for name in key): cell for cell in second}
    found = []
    for cell in first:
        other = others.get(tuple(cell.get(name) for name in key))
        for metric in metrics if other else ():
            one, two = cell.get(metric), other.get(metric) if other else None
            if isinstance(one, int | float) and isinstance(two, int | float):
                found.append(Compared(name_of(cell, key), metric, one, two, two / one if one else None, None))
    return found


def in_neither(first: Sequence[Cell], second: Sequence[Cell], key: Sequence[str]) -> str:
    """Say in what the cells of two runs differ, where none is of both."""
    for name in key:
        one, other = ({str(cell.get(name)) for cell in cells} for cells in (first, second))
        if not one & other:
            here, there = (", ".join(sorted(names)) or "none" for names in (one, other))
            return f"{name} is {here} in one and {there} in the other"
    return f"{', '.join(key)} are not together in both"


def find(cells: Sequence[Cell], key: Sequence[str], wanted: str) -> Cell:
    """Return the one cell whose key has all the words of `wanted`; raises UsageError with those that there are."""
    words = wanted.lower().replace(",", " ").split()
    named = {name_of(cell, key): cell for cell in cells}
    found = [named[wanted]] if wanted in named else []
    found = found or [
        cell
        for cell in cells
        if words and set(words) <= set(" ".join(str(cell.get(name)).lower() for name in key).replace(",", " ").split())
    ]
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
