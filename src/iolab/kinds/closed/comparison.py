"""Two runs side by side, and one cell taken apart, in the terminal."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.compare import Comparison
from iolab.kinds.closed.crosscheck import CellName, Told
from iolab.kinds.closed.crosscheck import verdict as verdict_of
from iolab.kinds.closed.explain import Part
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report.terminal import INVALID, show_differences, show_not_valid

BRIEF = 11  # letters of a service's name


def show(console: Console, found: Sequence[Comparison], differences: Sequence[tuple[str, str, str]]) -> None:
    """Print a row a cell, then what else the runs differ in."""
    several = len({each.first.cell.cpus for each in found}) > 1
    varied = len({each.first.cell.variant for each in found}) > 1
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0), pad_edge=False, title="Median of each cell")
    table.title_justify = "left"
    table.add_column("Model", no_wrap=True)
    table.add_column("Users", justify="right", no_wrap=True)
    if several:
        table.add_column("CPUs", justify="right", no_wrap=True)
    if varied:
        table.add_column("Variant", no_wrap=True)
    for name in ("First", "Second", "Ratio", "95% interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in found:
        cell = each.first.cell
        limit = [f"{cell.cpus:g}"] if several else []
        table.add_row(
            cell.model if several or varied else f"{cell.model} {escape(cell.service[:BRIEF])}",
            f"{cell.concurrency} {INVALID}" if each.not_valid else str(cell.concurrency),
            *limit,
            *([escape(cell.variant)] if varied else []),
            numbers.milliseconds(cell.median_ms),
            numbers.milliseconds(each.second.cell.median_ms),
            numbers.NOT_KNOWN if each.ratio is None else f"{each.ratio:.3f}",
            numbers.NOT_KNOWN if each.interval is None else f"{each.interval[0]:.3f} to {each.interval[1]:.3f}",
            Text(_brief(each) if several or varied else verdict(each), style="bold" if each.different else ""),
        )
    console.print(table)
    show_not_valid(console, [(_name(each.first.cell), each.not_valid) for each in found])
    show_differences(console, differences)


def _name(cell: Cell) -> str:
    limit = f"{cell.cpus:g} CPU"
    return ", ".join(filter(None, [f"{cell.model}{cell.concurrency}", limit, cell.variant]))


def verdict(each: Comparison) -> str:
    """Say what the interval allows to say."""
    if each.interval is None:
        return "too few repeats to tell"
    if not each.different:
        return "no difference shown"
    return "slower" if each.interval[0] > 1 else "faster"


def _brief(each: Comparison) -> str:
    return {"no difference shown": "same?", "too few repeats to tell": "too few"}.get(verdict(each), verdict(each))


def show_budget(console: Console, analysis: Analysis, cell: Cell, parts: Sequence[Part]) -> None:
    """Print what a cell's median is made of."""
    console.print(
        f"{cell.model}, {cell.title}, {numbers.users(cell.concurrency)}{words.condition(cell, analysis, before=', ')}:"
        f" median {numbers.milliseconds(cell.median_ms)}",
        markup=False,
        style="bold",
        highlight=False,
    )
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    for part in parts:
        table.add_row(f"{part.ms:.2f} ms", part.what, part.known)
    console.print(table)


def show_crosscheck(console: Console, told: Mapping[str, Mapping[CellName, Told]]) -> None:
    """Print what each load generator tells of each cell, and whether they agree."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title="Median as each tells it")
    table.title_justify = "left"
    table.add_column("Cell", no_wrap=True)
    for name in told:
        table.add_column(name, justify="right", no_wrap=True)
    cells = dict.fromkeys(key for found in told.values() for key in found)
    for model, users in cells:
        found = {name: each[model, users] for name, each in told.items() if (model, users) in each}
        medians = [f"{found[name].median_ms:.2f} ms" if name in found else numbers.NOT_KNOWN for name in told]
        table.add_row(f"{model} with {users}", *medians)
    console.print(table)
    for model, users in cells:
        found = {name: each[model, users] for name, each in told.items() if (model, users) in each}
        console.print(f"{model} with {numbers.users(users)}: {verdict_of(found)}.", markup=False, highlight=False)
