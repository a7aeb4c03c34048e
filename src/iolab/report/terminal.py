"""The report in the terminal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.analysis import Analysis
from iolab.records import Cell
from iolab.report import words
from iolab.report.table import columns, grouped_findings

ROOMY = 130  # columns of text
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


@contextmanager
def busy(console: Console) -> Iterator[Callable[[str], None]]:
    """Yield what says what takes its time: by a spinner in a terminal, by a line elsewhere."""
    if not console.is_terminal:
        yield lambda what: console.print(f"{what} ...", highlight=False, soft_wrap=True)
        return
    with console.status("One moment ...") as status:
        yield lambda what: status.update(f"{what} ...")


def show_place(console: Console, runtime: str, reason: str) -> None:
    """Print where the servers run, and why there."""
    console.print(f"Servers run {words.PLACES[runtime]}: {escape(reason)}.", highlight=False, soft_wrap=True)


def show(console: Console, analysis: Analysis, folder: str) -> None:
    """Print the course's table, the findings, and where the rest is."""
    cells = [analysed.cell for analysed in analysis.cells]
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=escape(words.question(analysis)),
        title_justify="left",
        title_style="bold",
    )
    roomy = console.width >= ROOMY
    shown = [column for column in columns(analysis) if column.always or roomy]
    for column in shown:
        table.add_column(
            column.heading,
            justify="right" if column.numeric else "left",
            no_wrap=True,
            style="bold" if column.heading == "Median" else None,
        )
    for number, cell in enumerate(cells):
        last_of_model = number + 1 == len(cells) or cells[number + 1].model != cell.model
        table.add_row(
            *(escape((column.text if roomy else column.brief or column.text)(cell)) for column in shown),
            end_section=last_of_model,
        )
    if cells:
        console.print(table)
    for group in words.by_model(analysis):
        console.print(
            f"[bold]{escape(_label(group, analysis))} {words.verdict(group)}.[/] {escape(words.sentence(group))}",
            highlight=False,
        )
    for severity, where, message, remedy in grouped_findings(cells):
        console.print(
            f"[{_STYLES[severity]}]{severity}[/], {escape(where)}: {escape(message)}\n  → {escape(remedy)}",
            highlight=False,
        )
    console.print()
    console.print(escape(words.settings(analysis)), highlight=False)
    console.print(escape(words.wall_time(analysis)), highlight=False)
    console.print(f"Report: {escape(folder)}/report.html", highlight=False, soft_wrap=True)


def _label(group: Sequence[Cell], analysis: Analysis) -> str:
    return group[0].model if len(analysis.experiment.cpus) == 1 else f"{group[0].model} with {group[0].cpus:g} CPU"


def show_pages(console: Console, pages: Sequence[tuple[str, str]]) -> None:
    """Print what `up` has brought up: (address, what it is)."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("Open", "What it is"):
        table.add_column(heading)
    for url, title in pages:
        table.add_row(url, escape(title))
    console.print(table)
    console.print("Stop it all with `make down`.", highlight=False)


def show_facts(console: Console, facts: Sequence[tuple[bool, str, str]]) -> None:
    """Print what `doctor` has found: (fine or not, what, what is known of it)."""
    for fine, name, text in facts:
        console.print(
            f"{'[green]✓[/]' if fine else '[yellow]✗[/]'} [bold]{escape(name):<14}[/] {escape(text)}",
            highlight=False,
            soft_wrap=True,
        )
