"""The parts of one cell's median, and the medians of several load generators, in the terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.crosscheck import CellName, Told
from iolab.kinds.closed.crosscheck import verdict as verdict_of
from iolab.kinds.closed.explain import Part
from iolab.kinds.closed.records import Cell
from iolab.report import doubts, numbers
from iolab.report.brief import MOST, rich_table, show_findings
from iolab.report.document import plain
from iolab.report.doubts import condensed
from iolab.results.records import Finding


def show_budget(console: Console, analysis: Analysis, cell: Cell, parts: Sequence[Part]) -> None:
    """Print the parts of a cell's median."""
    console.print(
        f"{cell.model}, {cell.title}, {numbers.users(cell.concurrency)}{words.condition(cell, analysis, before=', ')}:"
        f" median {numbers.milliseconds(cell.median_ms)}",
        markup=False,
        style="bold",
        highlight=False,
    )
    rows = [[f"{part.ms:.2f} ms", part.what, part.known] for part in parts]
    console.print(rich_table(plain(("Time", "Part", "How it is known"), rows, text=3), console.width))


def show_crosscheck(console: Console, told: Mapping[str, Mapping[CellName, Told]], lacks: str) -> None:
    """Print what is missing, the median of each cell by each load generator, whether they agree, and what to doubt."""
    if lacks:
        console.print(lacks, style="bold red", markup=False, highlight=False, soft_wrap=True)
    cells = dict.fromkeys(key for found in told.values() for key in found)
    rows = []
    for model, users in cells:
        found = {name: each[model, users] for name, each in told.items() if (model, users) in each}
        medians = [f"{found[name].median_ms:.2f} ms" if name in found else numbers.NOT_KNOWN for name in told]
        rows.append([f"{model} with {users}", *medians])
    console.print(rich_table(plain(("Cell", *told), rows), console.width, "Median of each load generator"))
    for model, users in cells:
        found = {name: each[model, users] for name, each in told.items() if (model, users) in each}
        console.print(f"{model} with {numbers.users(users)}: {verdict_of(found)}.", markup=False, highlight=False)
    level, why = crosscheck_trust(told)
    console.print(f"Trust: {level}. {why}", markup=False, highlight=False)
    show_findings(console, condensed(doubts.found(_places(told), "every cell"), MOST))


def crosscheck_trust(told: Mapping[str, Mapping[CellName, Told]]) -> doubts.Trust:
    """Return how far the medians of a crosscheck can be believed."""
    return doubts.trust(_places(told), "cell")


def _places(told: Mapping[str, Mapping[CellName, Told]]) -> list[tuple[str, Sequence[Finding]]]:
    return [
        (f"{model} with {numbers.users(users)} by {name}", one.findings)
        for name, cells in told.items()
        for (model, users), one in cells.items()
    ]
