"""The report of a closed loop in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.kinds.closed import course, words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.records import Cell
from iolab.kinds.closed.stories import stories
from iolab.kinds.closed.table import columns, grouped_findings
from iolab.report.terminal import MANY, ROOMY, STYLES, condensed


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
            f"[{STYLES[severity]}]{severity}[/], {escape(where)}: {escape(message)}\n  → {escape(remedy)}",
            highlight=False,
        )
    for heading, sentences in stories(analysis):
        console.print(f"\n[bold]{escape(heading)}[/]", highlight=False)
        for sentence in sentences:
            console.print(f"- {escape(sentence)}", highlight=False)
    if course.applies(analysis):
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
    for row in course.table(analysis):
        table.add_row(escape(row.model), str(row.users), row.expected, row.measured, row.verdict)
    console.print()
    console.print(table)
    console.print("Five questions about it, with their answers: in the report.", highlight=False)


def _key(cell: Cell) -> tuple[str, float]:
    return cell.model, cell.cpus


def _label(group: Sequence[Cell], analysis: Analysis) -> str:
    return f"{group[0].model}{words.condition(group[0], analysis, before=' with ')}"
