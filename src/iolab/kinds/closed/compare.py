"""Two runs side by side: the ratio of their medians in every cell that both have, with its interval."""

from dataclasses import dataclass
from typing import Any

from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.theory.statistics import RESOLUTION_S, ratio_interval


@dataclass(frozen=True)
class Comparison:
    """One cell of two runs; `ratio` is second to first, its 95% interval None where either has too few repeats."""

    first: AnalysedCell
    second: AnalysedCell
    ratio: float | None
    interval: tuple[float, float] | None

    @property
    def different(self) -> bool:
        """Whether the interval excludes that both are the same."""
        return self.interval is not None and not self.interval[0] <= 1 <= self.interval[1]

    @property
    def not_valid(self) -> tuple[str, ...]:
        """Which of the two runs measured a cell that is not valid."""
        return tuple(name for name, run in (("first", self.first), ("second", self.second)) if not run.cell.valid)


def compare(first: Analysis, second: Analysis) -> list[Comparison]:
    """Return the comparisons of all cells that both runs have, in the order of the first."""
    resolution_s = max(RESOLUTION_S[first.run.generator], RESOLUTION_S[second.run.generator])
    found = []
    for each, other in _in_both(first, second):
        if not (each.cell.median_ms and other.cell.median_ms):
            continue
        interval = ratio_interval(other.repeats_s, each.repeats_s, resolution_s)
        found.append(
            Comparison(
                first=each,
                second=other,
                ratio=other.cell.median_ms / each.cell.median_ms,
                interval=interval[1:] if interval else None,
            )
        )
    return found


def _in_both(first: Analysis, second: Analysis) -> list[tuple[AnalysedCell, AnalysedCell]]:
    others = {_key(each): each for each in second.cells}
    return [(each, others[_key(each)]) for each in first.cells if _key(each) in others]


def why_nothing(first: Analysis, second: Analysis) -> str:
    """Say why two runs cannot be compared: one has no cells, none is of both, or none of these has two medians."""
    for which, run in (("first", first), ("second", second)):
        if not run.cells:
            return f"the {which} has no cell: no trial of it has ended"
    if both := _in_both(first, second):
        names = ", ".join(f"{each.cell.model}{each.cell.concurrency}" for each, _ in both)
        return f"no cell that they have in common has a median in both ({names})"
    return f"they have no cell in common: {nothing_in_common(first, second)}"


def nothing_in_common(first: Analysis, second: Analysis) -> str:
    """Say in what the cells of two runs differ, where none is of both."""
    parts = ("models", "users", "CPUs", "settings")
    for number, name in enumerate(parts):
        one, other = ({_key(each)[number] for each in run.cells} for run in (first, second))
        if not one & other:
            return f"{name} are {_listed(one)} in one and {_listed(other)} in the other"
    return "models, users, CPUs and settings are not together in both"


def _listed(values: set[Any]) -> str:
    return ", ".join(sorted(_text(value) or "not varied" for value in values)) or "none"


def _key(each: AnalysedCell) -> tuple[str, int, float, str]:
    return each.cell.model, each.cell.concurrency, each.cell.cpus, each.cell.variant


def _text(value: object) -> str:
    return "default" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
