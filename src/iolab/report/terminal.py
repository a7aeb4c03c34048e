"""Terminal output that several commands share."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

from iolab.report import numbers
from iolab.report.brief import facts_table, rich_table, show_findings
from iolab.report.compare import Compared
from iolab.report.document import Facts, plain
from iolab.report.doubts import Found

CHANCE = "Ratios are of single runs, without an interval: a difference can be chance. Repeat both runs to find out."
MARKS = {True: "[green]✓[/]", False: "[yellow]✗[/]", None: "[cyan]?[/]"}
INVALID = "(!)"  # marks a cell that is not valid


@contextmanager
def busy(console: Console) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what is going on: with a spinner in a terminal, otherwise with a line."""
    if not console.is_terminal:
        yield lambda what: console.print(f"{what} ...", highlight=False, soft_wrap=True)
        return
    with console.status("One moment ...") as status:
        yield lambda what: status.update(f"{what} ...")


def show_place(console: Console, runtime: str, reason: str) -> None:
    """Print where the servers run, and why."""
    console.print(f"Servers run {numbers.PLACES[runtime]}: {escape(reason)}.", highlight=False, soft_wrap=True)


def show_pages(console: Console, pages: Sequence[tuple[str, str]]) -> None:
    """Print the pages that `up` has started: (address, description)."""
    console.print(rich_table(plain(("Address", "Page"), pages, text=2), console.width))
    console.print("Stop everything with `make down`.", highlight=False)


def show_facts(console: Console, facts: Sequence[tuple[bool | None, str, str]]) -> None:
    """Print the results of `doctor`: (fine or not, or None for not checked; name; description)."""
    for fine, name, text in facts:
        console.print(
            f"{MARKS[fine]} [bold]{escape(name):<14}[/] {escape(text)}",
            highlight=False,
            soft_wrap=True,
        )


def show_compared(console: Console, found: Sequence[Compared], differences: Sequence[tuple[str, str, str]]) -> None:
    """Print a row for each figure of each cell of two runs, then the other differences between the runs."""
    rows, before = [], ""
    for each in found:
        ratio = numbers.NOT_KNOWN if each.ratio is None else f"{each.ratio:.3f}"
        name = f"{each.cell} {INVALID}" if each.not_valid else each.cell
        rows.append(
            ["" if each.cell == before else name, each.metric.replace("_", " ").replace(".", " "),
             compared_value(each.first), compared_value(each.second), ratio]
        )  # fmt: skip
        before = each.cell
    console.print(rich_table(plain(("Cell", "Figure", "First", "Second", "Ratio"), rows, text=2), console.width))
    show_not_valid(console, [(each.cell, each.not_valid) for each in found])
    console.print(CHANCE)
    show_differences(console, differences)


def compared_value(value: float) -> str:
    """Return a figure of a comparison; one that never ended is infinite."""
    return "never" if math.isinf(value) else f"{value:,.4g}"


def show_not_valid(console: Console, cells: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Print which of the compared cells are not valid, and in which of the two runs."""
    for cell, runs in dict.fromkeys(cells):
        if runs:
            where = "both runs" if len(runs) == 2 else f"the {runs[0]} run"
            console.print(
                f"{INVALID} {cell}: not valid in {where}, so its ratio says nothing about the servers. See the report.",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )


def show_differences(console: Console, differences: Sequence[tuple[str, str, str]]) -> None:
    """Print the settings that differ between two runs."""
    for name, one, other in differences:
        console.print(f"The runs differ in {name}: {one} and {other}.", markup=False, highlight=False, soft_wrap=True)


def show_cell(
    console: Console, name: str, figures: Iterable[tuple[str, Any]], findings: Sequence[Mapping[str, str]]
) -> None:
    """Print all figures and findings of one cell."""
    console.print(name, markup=False, style="bold", highlight=False)
    pairs = []
    for figure, value in figures:
        text = numbers.NOT_KNOWN if value is None else f"{value:,.4g}" if isinstance(value, float) else str(value)
        pairs.append((figure.replace("_", " "), text))
    console.print(facts_table(Facts(pairs)))
    show_findings(console, [Found(each["severity"], "", each["message"], each["remedy"]) for each in findings])
