"""Compares runs of any kind, figure by figure: ratios to the first side, and their intervals."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from iolab.errors import UsageError
from iolab.report.cells import Cell, RunCell, figure
from iolab.report.compared import Compared, Comparison, Lost, Row, logarithmic
from iolab.report.pairing import Pair, Pairing, Side, paired
from iolab.theory.between_runs import between, holm, of_two_runs

NOISE = 0.03  # runs of the same settings are taken to differ by at most so much: docs/methodology.md has the data


class Compares(Protocol):
    """What a kind of experiment says about its cells: their key, their figures, and their names."""

    @property
    def key(self) -> Sequence[str]:
        """The fields that identify a cell."""

    @property
    def metrics(self) -> Sequence[str]:
        """The figures of a cell that are compared."""

    @property
    def rising(self) -> Collection[str]:
        """Those of them that are better the higher they are."""

    def name_of(self, cell: Cell, left_out: Collection[str] = ()) -> str:
        """Return the name of a cell, without the fields of its key that are `left_out`."""


def compare(sides: Sequence[Side], kind: Compares, noise: float = NOISE) -> Comparison:
    """Compare the cells of each other side with those of the first; raises UsageError if nothing can be compared."""
    pairings = paired(sides, kind.key)
    rows, lost = [], []
    for pairing in pairings:
        single = len(sides[0]) == len(sides[pairing.second]) == 1
        for pair in pairing.pairs:
            unknown = noise if single else 0.0
            found = [_figure(pair, each, pairing.second, each in kind.rising, unknown) for each in kind.metrics]
            figures = [each for each in found if each]
            if figures:
                rows.append(Row(_name(kind, pairing, pair), pairing.second, pair, figures))
            elif _is_lost(pair.first, kind.metrics):
                lost.append(Lost(_name(kind, pairing, pair), pairing.second, is_there=True))
        gone = [cells for cells in pairing.alone if _is_lost(cells, kind.metrics)]
        lost += [Lost(_name(kind, pairing, Pair(cells, ())), pairing.second, is_there=False) for cells in gone]
    if not rows:
        names = "; ".join(_name(kind, pairing, pair) for pairing in pairings for pair in pairing.pairs)
        raise UsageError(f"the cells that are in both have no figure in both ({names})")
    judged, comparisons = _judged(rows)
    return Comparison(tuple(map(len, sides)), judged, pairings, noise, comparisons, lost)


def _name(kind: Compares, pairing: Pairing, pair: Pair) -> str:
    return ", ".join(filter(None, [kind.name_of(pair.first[0].values, pairing.left_out), pair.against]))


def _is_lost(cells: Sequence[RunCell], metrics: Sequence[str]) -> bool:
    """Return whether cells of the first side, without a figure in another one, are valid and have figures."""
    has = any(figure(cell.values, metric) is not None for cell in cells for metric in metrics)
    return has and all(cell.valid for cell in cells)


def _figure(pair: Pair, metric: str, second: int, higher_is_better: bool, noise: float) -> Compared | None:
    """Return a figure of a pair of cells, not judged yet; None if a side does not have it."""
    sides = [
        [(cell, value) for cell in cells if (value := figure(cell.values, metric)) is not None]
        for cells in (pair.first, pair.second)
    ]
    if not all(sides):
        return None
    firsts, seconds = (tuple(value for _, value in side) for side in sides)
    found = Compared(metric, second, firsts, seconds, higher_is_better, noise)
    if not logarithmic((*firsts, *seconds)):
        return found
    resolution = max(cell.resolution.get(metric, 0.0) for side in sides for cell, _ in side)
    if len(firsts) > 1 or len(seconds) > 1:
        return replace(found, difference=between(firsts, seconds, resolution))
    errors = [cell.within.get(metric) for side in sides for cell, _ in side]
    if noise and errors[0] and errors[1]:
        of_two = of_two_runs((firsts[0], seconds[0]), (errors[0], errors[1]), noise, resolution)
        return replace(found, difference=of_two)
    return found


def _judged(rows: Sequence[Row]) -> tuple[list[Row], int]:
    """Return the rows with their adjusted p values, and how many comparisons there are."""
    known = [each.difference for row in rows for each in row.figures if each.difference]
    adjusted = iter(holm([each.p for each in known]))
    judged = [
        replace(
            row,
            figures=[
                replace(each, p=next(adjusted), smallest=each.difference.smallest(len(known)))
                if each.difference
                else each
                for each in row.figures
            ],
        )
        for row in rows
    ]
    return judged, len(known)
