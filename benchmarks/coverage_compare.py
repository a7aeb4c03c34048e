"""How often does `make compare` see a difference that is not there, and how often one that is? Simulated.

    .venv/bin/python -m benchmarks.coverage_compare

A run's figure is exp(run + repeats): `deviation` is that of runs of the same settings, and REPEAT that of the repeats
within a run, both of the logarithm. A comparison has as many cells and figures as `make bench`, and is judged by the
code that judges real runs. A false alarm is a comparison in which any figure differs, although no side does.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from iolab.report.cells import Cell, RunCell, name_of
from iolab.report.compare import NOISE, compare
from iolab.report.compared import Comparison
from iolab.theory.between_runs import Difference, Within
from iolab.theory.enough import CONFIDENCE

DEVIATIONS = (0.003, 0.01, 0.03)
RUNS = (1, 2, 3, 5, 10)  # a side
TRUE = (0.05, 0.10)  # differences of which the power is told
CELLS, REPEATS, REPEAT = 8, 3, 0.005


@dataclass(frozen=True)
class Kind:
    """Cells with four figures each, all better the lower they are."""

    key: Sequence[str] = ("cell",)
    metrics: Sequence[str] = ("median_ms", "p95_ms", "p99_ms", "other_ms")
    rising: Sequence[str] = ()

    def name_of(self, cell: Cell, left_out: Collection[str] = ()) -> str:
        """Return the name of a cell."""
        return name_of(cell, [name for name in self.key if name not in left_out])


class Row(NamedTuple):
    """What `draws` comparisons showed, as shares of them.

    `false_alarms` have any figure that differs, though none does; of single figures `alone` has an interval that does
    not contain 1, without noise threshold and without Holm. `found` are the comparisons that show a true difference in
    one figure, by its size. `smallest` is the median of the smallest difference that a comparison said it could show.
    """

    deviation: float
    runs: int
    draws: int
    false_alarms: float
    alone: float
    found: Mapping[float, float]
    smallest: float

    def __str__(self) -> str:
        found = "  ".join(f"{self.found[size]:>6.0%}" for size in TRUE)
        return (
            f"{self.deviation:>9.1%}  {self.runs:>6}  {self.false_alarms:>12.1%}  {self.alone:>14.1%}  {found}"
            f"  {self.smallest:>9.1%}"
        )


def figures(draws: int = 500, seed: int = 1991) -> list[Row]:
    """Return a row for each deviation between runs and each number of runs a side."""
    draw = np.random.default_rng(seed)
    return [_row(draw, draws, deviation, runs) for deviation in DEVIATIONS for runs in RUNS]


def _row(draw: np.random.Generator, draws: int, deviation: float, runs: int) -> Row:
    same = [compare(_sides(draw, deviation, runs), Kind()) for _ in range(draws)]
    alone = [replace(each, noise=0.0).p < 1 - CONFIDENCE for found in same for each in _differences(found)]
    return Row(
        deviation,
        runs,
        draws,
        false_alarms=float(np.mean([_any(found) for found in same])),
        alone=float(np.mean(alone)),
        found={size: _power(draw, draws, deviation, runs, size) for size in TRUE},
        smallest=float(np.median([_first(found) for found in same])) - 1,
    )


def _power(draw: np.random.Generator, draws: int, deviation: float, runs: int, size: float) -> float:
    """Return how often a difference of that size, in one figure of one cell, is shown."""
    found = [compare(_sides(draw, deviation, runs, size), Kind()) for _ in range(draws)]
    return float(np.mean([each.rows[0].figures[0].differs for each in found]))


def _sides(draw: np.random.Generator, deviation: float, runs: int, size: float = 0.0) -> list[list[list[RunCell]]]:
    """Return two sides; in the second, the first figure of the first cell is larger by `size`."""
    return [[list(_run(draw, deviation, more)) for _ in range(runs)] for more in (0.0, size)]


def _run(draw: np.random.Generator, deviation: float, more: float) -> Iterator[RunCell]:
    metrics = Kind().metrics
    for cell in range(CELLS):
        repeats = draw.normal(0, deviation, (len(metrics), 1)) + draw.normal(0, REPEAT, (len(metrics), REPEATS))
        repeats[0] += math.log1p(more) if not cell else 0.0
        errors = repeats.std(axis=1, ddof=1) / math.sqrt(REPEATS)
        values = dict(zip(metrics, (20 * np.exp(repeats.mean(axis=1))).tolist(), strict=True))
        within = {name: Within(float(error), REPEATS - 1) for name, error in zip(metrics, errors, strict=True)}
        yield RunCell({"cell": cell, **values}, within=within)


def _differences(found: Comparison) -> Iterator[Difference]:
    return (each.difference for row in found.rows for each in row.figures if each.difference)


def _any(found: Comparison) -> bool:
    return any(each.differs for row in found.rows for each in row.figures)


def _first(found: Comparison) -> float:
    return found.rows[0].figures[0].smallest or math.inf


def main() -> None:
    """Print a table."""
    print(f"NOISE={NOISE:.0%} for one run a side; repeats within a run: {REPEAT:.1%}; {CELLS} cells x 4 figures")
    shown = "  ".join(f"{size:>5.0%}+" for size in TRUE)
    print(f"{'deviation':>9}  {'a side':>6}  {'false alarms':>12}  {'one figure raw':>14}  {shown}  {'smallest':>9}")
    for row in figures():
        print(row, flush=True)


if __name__ == "__main__":
    main()
