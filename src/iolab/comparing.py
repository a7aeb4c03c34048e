"""Compares runs, each side with one run or more: reads them, checks that they belong together, makes the report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from iolab.errors import UsageError
from iolab.kind import AnyKind
from iolab.kinds import registry
from iolab.report import comparison
from iolab.report.answers import unanswered, without
from iolab.report.cells import RunCell
from iolab.report.compare import NOISE, compare
from iolab.report.comparison_json import as_json
from iolab.report.document import Document
from iolab.report.pairing import MOST_SIDES
from iolab.results.differences import differing
from iolab.results.folder import RunFolder
from iolab.withheld import withheld

APART = ":"  # between the sides of RUNS
HOW = 'make compare RUNS="results/one results/other", or several runs a side: RUNS="a1 a2 a3 : b1 b2 b3"'


@dataclass(frozen=True)
class Judged:
    """A comparison that is read and judged; `hide` theory in its report."""

    kind: AnyKind
    compare: comparison.Compare
    hide: bool

    def document(self) -> Document:
        """Return the report."""
        shown = comparison.document(self.compare)
        return unanswered(shown) if self.hide else shown

    def fails(self) -> bool:
        """Return whether a figure is worse than FAIL_ABOVE allows, or a cell is not valid any more, or not there."""
        found, above = self.compare.found, self.compare.above
        return above is not None and bool(found.failing(above) or found.broken())

    def plain(self) -> dict[str, Any]:
        """Return all of it for a program."""
        found, above, shown = self.compare.found, self.compare.above, self.document()
        return {
            "kind": self.kind.name,
            "sides": [[folder.path.name for folder in side] for side in self.compare.sides],
            "trust": shown.trust._asdict(),
            "findings": [each._asdict() for each in shown.findings],
            "noise": found.noise if found.single else None,
            "comparisons": found.comparisons,
            "paired_without": [each.differs or None for each in found.pairings],
            "differences": {each.name: each.values for each in self.compare.settings},
            "cells": as_json(found, self.kind.key),
            "not_compared": [[each.name, each.second] for each in found.lost],
            "fail_above": above,
            "failing": None if above is None else [[row.name, each.metric] for row, each in found.failing(above)],
            "not_valid_any_more": None if above is None else [each.name for each in found.broken()],
        }


def sides_of(words: Sequence[str]) -> list[list[Path]]:
    """Return the paths of each side: a colon of its own ends a side; without one, each run is a side."""
    if APART not in words:
        return [[Path(word)] for word in words]
    sides: list[list[Path]] = [[]]
    for word in words:
        if word == APART:
            sides.append([])
        else:
            sides[-1].append(Path(word))
    if not all(sides):
        raise UsageError(f"RUNS: a side has no run: {HOW}")
    return sides


def judged(
    paths: Sequence[Sequence[Path]], root: Path | None, noise: float | None = None, above: float | None = None
) -> Judged:
    """Compare the runs of all sides with the first; raises UsageError, in a line, if that is not possible.

    `root` is the checkout; `noise` is the share by which runs of the same settings are taken to differ (NOISE), and
    `above` the share by which a figure may be worse.
    """
    if len(paths) < 2:
        raise UsageError(f"say which runs: {HOW}")
    if len(paths) > MOST_SIDES:
        raise UsageError(f"{len(paths)} sides: at most {MOST_SIDES} are compared at once")
    sides = [[RunFolder.open(path) for path in side] for side in paths]
    flat = [folder for side in sides for folder in side]
    given = {folder.path: path for folder, path in zip(flat, chain.from_iterable(paths), strict=True)}
    for folder in flat:
        if sum(each.path == folder.path for each in flat) > 1:
            raise UsageError(f"{given[folder.path]} is there twice: a run does not differ from itself")
    kind = registry.kind_of(flat[0])
    for folder in flat:
        other = registry.kind_of(folder)
        if other is not kind:
            raise UsageError(
                f"{given[flat[0].path]} is of kind {kind.name} and {given[folder.path]} of kind {other.name}:"
                " compare runs of one kind"
            )
    hide = any(withheld(folder, root) for folder in flat)
    try:
        cells = [[_cells(kind, folder, hide=hide) for folder in side] for side in sides]
        found = compare(cells, kind, NOISE if noise is None else noise)
    except UsageError as error:
        raise UsageError(f"{' and '.join(str(path) for side in paths for path in side)}: {error}") from error
    if noise is not None and not found.single:
        raise UsageError(
            f"NOISE={noise:.2g}: it is for one run a side; several runs show how much they vary: leave it out"
        )
    settings = differing([[folder.read_run() for folder in side] for side in sides])
    return Judged(kind, comparison.Compare(sides, found, settings, above), hide)


def _cells(kind: AnyKind, folder: RunFolder, *, hide: bool) -> list[RunCell]:
    """Return the cells of a run; to hide theory, without the figures and findings that tell it."""
    found = list(kind.run_cells(folder))
    if not hide:
        return found
    return [
        replace(
            cell,
            values=without([cell.values], kind.theory)[0],
            findings=[each for each in cell.findings if each.id not in kind.theory],
        )
        for cell in found
    ]
