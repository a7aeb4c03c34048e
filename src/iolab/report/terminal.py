"""The report in the terminal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.kinds.closed import course as answers
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.stories import stories
from iolab.kinds.closed.table import columns, condensed, grouped_findings
from iolab.report import words
from iolab.results.records import Cell

ROOMY = 130  # columns of text
MANY = 12  # cells, or findings: beyond that a terminal tells the kinds, and the report every one
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
        last_of_model = number + 1 == len(cells) or _key(cells[number + 1]) != _key(cell)
        table.add_row(
            *(escape((column.text if roomy else column.brief or column.text)(cell)) for column in shown),
            end_section=last_of_model,
        )
    if cells:
        console.print(table)
    for group in words.by_model(analysis) if roomy or len(cells) <= MANY else ():
        console.print(
            f"[bold]{escape(words.said(_label(group, analysis), group))}[/] {escape(words.sentence(group))}",
            highlight=False,
        )
    for severity, where, message, remedy in condensed(grouped_findings(cells), MANY):
        console.print(
            f"[{_STYLES[severity]}]{severity}[/], {escape(where)}: {escape(message)}\n  → {escape(remedy)}",
            highlight=False,
        )
    for heading, sentences in stories(analysis):
        console.print(f"\n[bold]{escape(heading)}[/]", highlight=False)
        for sentence in sentences:
            console.print(f"- {escape(sentence)}", highlight=False)
    if answers.applies(analysis):
        _course(console, analysis)
    console.print()
    console.print(escape(words.settings(analysis)), highlight=False)
    if analysis.experiment.precision:
        console.print(escape(words.precision(analysis)), highlight=False)
    console.print(escape(words.wall_time(analysis)), highlight=False)
    console.print(f"Report: {escape(folder)}/report.html", highlight=False, soft_wrap=True)


def _course(console: Console, analysis: Analysis) -> None:
    """Print the course's table; its questions are in the report, folded."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, title="The course's table", title_justify="left")
    for heading, right in (("Server", False), ("Users", True), ("Expected", True), ("Measured", True)):
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    table.add_column("")
    for row in answers.table(analysis):
        table.add_row(escape(row.model), str(row.users), row.expected, row.measured, row.verdict)
    console.print()
    console.print(table)
    console.print("Five questions about it, with their answers: in the report.", highlight=False)


def _key(cell: Cell) -> tuple[str, float]:
    return cell.model, cell.cpus


def _label(group: Sequence[Cell], analysis: Analysis) -> str:
    return f"{group[0].model}{words.condition(group[0], analysis, before=' with ')}"


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
