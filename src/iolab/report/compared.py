"""What a comparison of runs shows: figures, cells, and all of them, with the verdict of each."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from iolab.report.cells import RunCell
from iolab.report.pairing import ORDINALS, Pair, Pairing
from iolab.results.records import Finding
from iolab.theory.between_runs import Difference
from iolab.theory.enough import CONFIDENCE

NOT_SHOWN, IN_THE_NOISE, UNKNOWN = "no difference shown", "within the noise", "no interval"


@dataclass(frozen=True)
class Compared:
    """One figure of one cell: its value in each run of the first side (`firsts`) and of side `second` (from 1).

    `p` is adjusted for all comparisons (Holm). `smallest` is the ratio above 1 that the comparison could have shown;
    None if it could show none. `noise` is the share by which two runs of the same settings are taken to differ, where
    each side has a single run; 0 where the runs themselves show it.
    """

    metric: str
    second: int
    firsts: tuple[float, ...]
    seconds: tuple[float, ...]
    higher_is_better: bool
    noise: float
    difference: Difference | None = None
    p: float | None = None
    smallest: float | None = None

    @property
    def values(self) -> tuple[float, float]:
        """The value of each side: the geometric mean of its runs, or the mean where it has no logarithm."""
        first, second = (_mean(side) for side in (self.firsts, self.seconds))
        return first, second

    @property
    def ratio(self) -> float | None:
        """The second value / the first; None where one of them is 0, or infinite."""
        first, second = self.values
        return second / first if logarithmic((*self.firsts, *self.seconds)) else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% interval of the ratio: between runs, or within the two runs where each side has one."""
        return self.difference.interval if self.difference else None

    @property
    def differs(self) -> bool:
        """Whether a difference is shown, with all comparisons taken together."""
        return self.p is not None and self.p < 1 - CONFIDENCE

    @property
    def never(self) -> bool:
        """Whether it ended in the runs of the first side, and in no run of the other one."""
        return all(map(math.isfinite, self.firsts)) and not any(map(math.isfinite, self.seconds))

    @property
    def worse_by(self) -> float:
        """How many times worse the second side is; below 1 it is better, infinite if it never ended."""
        if self.ratio is None:
            return math.inf if self.never else 1.0
        return 1 / self.ratio if self.higher_is_better else self.ratio

    @property
    def verdict(self) -> str:
        """The conclusion about this figure."""
        if self.never:
            return "never ended"
        if self.differs:
            return "worse" if self.worse_by > 1 else "better"
        if self.ratio is not None and self.noise and abs(math.log(self.ratio)) <= math.log1p(self.noise):
            return IN_THE_NOISE
        return NOT_SHOWN if self.p is not None else UNKNOWN


@dataclass(frozen=True)
class Row:
    """All figures of one cell of the first side and of side `second` (from 1)."""

    name: str
    second: int
    pair: Pair
    figures: Sequence[Compared]

    @property
    def changes(self) -> list[Compared]:
        """The figures that differ."""
        return [each for each in self.figures if each.differs or each.never]

    @property
    def sides(self) -> tuple[tuple[str, Sequence[RunCell]], ...]:
        """The cells of both sides, with the names of the sides."""
        return (ORDINALS[0], self.pair.first), (ORDINALS[self.second], self.pair.second)

    @property
    def not_valid(self) -> tuple[str, ...]:
        """The sides with a run in which the cell is not valid."""
        return tuple(name for name, cells in self.sides if not all(cell.valid for cell in cells))

    @property
    def doubts(self) -> list[tuple[str, list[Finding]]]:
        """The warnings and errors of each side, whether its experiment is made to show them or not."""
        return [
            (name, [each for cell in cells for each in cell.findings if each.severity != "note"])
            for name, cells in self.sides
        ]

    @property
    def verdict(self) -> str:
        """The conclusion from all figures: "better" and "worse" only if no figure says the opposite."""
        if changed := {"better" if each.worse_by < 1 else "worse" for each in self.changes}:
            verdict = "mixed" if len(changed) > 1 else changed.pop()
            return f"suspect: {verdict}" if any(findings for _, findings in self.doubts) else verdict
        verdicts = {each.verdict for each in self.figures}
        return next((each for each in (NOT_SHOWN, UNKNOWN) if each in verdicts), IN_THE_NOISE)


@dataclass(frozen=True)
class Lost:
    """A cell that is valid in the first side; side `second` (from 1) has no figure of it, or not even the cell."""

    name: str
    second: int
    is_there: bool


@dataclass(frozen=True)
class Comparison:
    """Several sides, each with one run or more, compared with the first; `comparisons` are those that p counts."""

    runs: tuple[int, ...]
    rows: Sequence[Row]
    pairings: Sequence[Pairing]
    noise: float
    comparisons: int
    lost: Sequence[Lost] = ()

    @property
    def single(self) -> bool:
        """Whether there are two sides with a single run, of which nothing is known about differences between runs."""
        return any(each.noise for row in self.rows for each in row.figures)

    def failing(self, above: float) -> list[tuple[Row, Compared]]:
        """Return the figures that differ and are worse by more than a share, such as 0.05."""
        return [(row, each) for row in self.rows for each in row.changes if each.worse_by > 1 + above]

    def broken(self) -> list[Row | Lost]:
        """Return the cells that are valid in the first side, and in another one not valid, or lost."""
        return [*(row for row in self.rows if row.not_valid == (ORDINALS[row.second],)), *self.lost]

    def blind(self, above: float) -> list[tuple[Row, Compared]]:
        """Return the figures in which a difference of that share could not have been shown."""
        return [
            (row, each)
            for row in self.rows
            for each in row.figures
            if not each.differs and (each.smallest is None or each.smallest > 1 + above)
        ]


def by_cell(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of each cell of the first side together, in their order; several of one side are not."""
    found: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        found.setdefault((id(row.pair.first), row.pair.against), []).append(row)
    return list(found.values())


def logarithmic(values: Sequence[float]) -> bool:
    """Return whether all values have a logarithm."""
    return all(0 < value < math.inf for value in values)


def _mean(values: Sequence[float]) -> float:
    return statistics.geometric_mean(values) if logarithmic(values) else statistics.fmean(values)
