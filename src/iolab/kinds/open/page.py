"""An open loop in the terminal, as Markdown, and as a page that needs nothing else."""

from collections.abc import Sequence

from markupsafe import Markup
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.kinds.open import figure as queue_figure
from iolab.kinds.open import words as queue_words
from iolab.kinds.open.analysis import OpenAnalysis
from iolab.report import numbers
from iolab.report.pages import template
from iolab.report.terminal import MANY, ROOMY, STYLES, condensed


def show(console: Console, analysis: OpenAnalysis, folder: str) -> None:
    """Print the table, what it shows, the findings, and where the rest is."""
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=escape(analysis.experiment.question),
        title_justify="left",
        title_style="bold",
    )
    roomy = console.width >= ROOMY
    headings = queue_words.HEADINGS if roomy else queue_words.BRIEF
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("Model", "Service") else "right", no_wrap=True)
    rows = list(queue_words.rows(analysis))
    for number, row in enumerate(rows):
        named = row if roomy else {**row, "Model": row["Model"].split()[0]}
        ends = number + 1 == len(rows) or rows[number + 1]["Service"] != row["Service"]
        table.add_row(*(escape(named[heading]) for heading in headings), end_section=ends)
    if rows:
        console.print(table)
    if state := queue_words.state(analysis):
        console.print(f"[bold red]{escape(state)}[/]", highlight=False)
    for sentence in (*queue_words.sentences(analysis), queue_words.closed_loop()):
        console.print(f"- {escape(sentence)}", highlight=False)
    for severity, where, message, remedy in condensed(queue_words.findings(analysis), MANY):
        console.print(
            f"[{STYLES[severity]}]{severity}[/], {escape(where)}: {escape(message)}\n  → {escape(remedy)}",
            highlight=False,
        )
    console.print("\nCalibrated: " + escape("; ".join(queue_words.calibrations(analysis))) + ".", highlight=False)
    console.print(f"Report: {escape(folder)}/report.html", highlight=False, soft_wrap=True)


def markdown(analysis: OpenAnalysis) -> str:
    """Return report.md."""
    lines = [f"# {analysis.experiment.name}: {analysis.experiment.question}", ""]
    if state := queue_words.state(analysis):
        lines += [f"**{state}**", ""]
    lines += _table(queue_words.HEADINGS, analysis)
    lines += ["", "## Tails", "", *_table(queue_words.TAILS, analysis), "", queue_words.errors(analysis)]
    lines += ["", *(f"- {sentence}" for sentence in queue_words.sentences(analysis)), ""]
    lines += [queue_words.closed_loop(), "", "## Findings", ""]
    lines += [
        f"- **{severity}**, {where}: {message}. To do: {remedy}"
        for severity, where, message, remedy in queue_words.findings(analysis)
    ] or ["None."]
    lines += ["", "## Calibration", "", *(f"- {line}" for line in queue_words.calibrations(analysis)), ""]
    return "\n".join(lines)


def _table(headings: Sequence[str], analysis: OpenAnalysis) -> list[str]:
    aligned = (":--" if heading in queue_words.HEADINGS[:2] else "--:" for heading in headings)
    rows = (" | ".join(row[heading] for heading in headings) for row in queue_words.rows(analysis))
    return [f"| {' | '.join(headings)} |", f"| {' | '.join(aligned)} |", *(f"| {row} |" for row in rows)]


def render(analysis: OpenAnalysis) -> str:
    """Return report.html, one file that needs nothing else."""
    queued = any(cell.record.utilisation is not None and cell.measured for cell in analysis.cells)
    return template("queue.html.j2").render(
        analysis=analysis,
        picture=Markup(queue_figure.response_times(analysis)) if queued else "",  # noqa: S704
        headings=queue_words.HEADINGS,
        tails=queue_words.TAILS,
        errors=queue_words.errors(analysis),
        senders=queue_words.senders(analysis),
        rows=list(queue_words.rows(analysis)),
        sentences=queue_words.sentences(analysis),
        closed_loop=queue_words.closed_loop(),
        state=queue_words.state(analysis),
        findings=queue_words.findings(analysis),
        calibrations=queue_words.calibrations(analysis),
        place=f"Servers ran {numbers.PLACES[analysis.run.runtime]}: {analysis.run.runtime_reason}.",
    )
