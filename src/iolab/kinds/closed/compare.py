"""Two runs compared cell by cell: the ratios of median, p95, p99 and throughput, with their intervals."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.kinds.closed.records import Cell
from iolab.results.records import Finding
from iolab.theory.statistics import RESOLUTION_S, ratio_interval

Interval = tuple[float, float]
QUANTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99}
THROUGHPUT = "throughput"


def differs(interval: Interval | None) -> bool:
    """Return whether the 95% interval of a ratio excludes that both are the same."""
    return interval is not None and not interval[0] <= 1 <= interval[1]


@dataclass(frozen=True)
class Comparison:
    """One cell of two runs; `ratio` is the second median to the first, its 95% interval None with too few repeats.

    `others` are the intervals of the ratios of p95, p99 and throughput, as far as both runs know them.
    """

    first: AnalysedCell
    second: AnalysedCell
    ratio: float | None
    interval: Interval | None
    others: tuple[tuple[str, Interval], ...] = ()

    @property
    def different(self) -> bool:
        """Whether the medians differ."""
        return differs(self.interval)

    @property
    def changes(self) -> list[tuple[str, bool, Interval]]:
        """The figures that differ: name, whether the second run is the better one, and the interval of the ratio."""
        figures = ([("median", self.interval)] if self.interval else []) + list(self.others)
        return [
            (name, (interval[0] > 1) == (name == THROUGHPUT), interval)
            for name, interval in figures
            if differs(interval)
        ]

    @property
    def runs(self) -> tuple[tuple[str, Cell], ...]:
        """Both cells, with the names of their runs."""
        return ("first", self.first.cell), ("second", self.second.cell)

    @property
    def not_valid(self) -> tuple[str, ...]:
        """Which of the two runs measured a cell that is not valid."""
        return tuple(name for name, cell in self.runs if not cell.valid)

    @property
    def doubts(self) -> list[tuple[str, list[Finding]]]:
        """The warnings and errors of each run, whether its experiment is made to show them or not."""
        return [(name, [one for one in cell.findings if one.severity != "note"]) for name, cell in self.runs]

    @property
    def suspect(self) -> bool:
        """Whether a run has a warning or an error for this cell."""
        return any(findings for _, findings in self.doubts)

    @property
    def verdict(self) -> str:
        """What all figures together say; "faster" and "slower" only where no figure says the opposite."""
        if self.interval is None:
            return "too few repeats to tell"
        changes = self.changes
        if not changes:
            return "no difference shown"
        if self.suspect:
            return "suspect"
        better = {is_better for _, is_better, _ in changes}
        if len(better) > 1 or not self.different:
            return "mixed"
        return "faster" if True in better else "slower"


def compare(first: Analysis, second: Analysis) -> list[Comparison]:
    """Return the comparisons of all cells that both runs have, in the order of the first."""
    resolution_s = max(RESOLUTION_S[first.run.generator], RESOLUTION_S[second.run.generator])
    found = []
    for each, other in _in_both(first, second):
        if not (each.cell.median_ms and other.cell.median_ms):
            continue
        intervals = _intervals(each, other, resolution_s)
        ratio = other.cell.median_ms / each.cell.median_ms
        found.append(Comparison(each, other, ratio, intervals.pop("median", None), tuple(intervals.items())))
    return found


def _intervals(first: AnalysedCell, second: AnalysedCell, resolution_s: float) -> dict[str, Interval]:
    """Return the intervals of the ratios of all figures that both cells know."""
    known = {
        "median": True,
        "p95": None not in (first.cell.p95_ms, second.cell.p95_ms),
        "p99": None not in (first.cell.p99_ms, second.cell.p99_ms),
    }
    found = {
        name: ratio_interval(second.repeats_s, first.repeats_s, resolution_s, quantile)
        for name, quantile in QUANTILES.items()
        if known[name]
    }
    these, those = ([np.array([rate]) for rate in one.steady_rps] for one in (second, first))
    found[THROUGHPUT] = ratio_interval(these, those)
    return {name: interval[1:] for name, interval in found.items() if interval}


def _in_both(first: Analysis, second: Analysis) -> list[tuple[AnalysedCell, AnalysedCell]]:
    others = {_key(each): each for each in second.cells}
    return [(each, others[_key(each)]) for each in first.cells if _key(each) in others]


def why_nothing(first: Analysis, second: Analysis) -> str:
    """Say why two runs cannot be compared: one has no cell, they share no cell, or no shared cell has two medians."""
    for which, run in (("first", first), ("second", second)):
        if not run.cells:
            return f"the {which} has no cell: no trial of it has ended"
    if both := _in_both(first, second):
        names = ", ".join(f"{each.cell.model}{each.cell.concurrency}" for each, _ in both)
        return f"no cell that they have in common has a median in both ({names})"
    return f"they have no cell in common: {nothing_in_common(first, second)}"


def nothing_in_common(first: Analysis, second: Analysis) -> str:
    """Say in what the cells of two runs differ, where they share none."""
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
