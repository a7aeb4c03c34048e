"""A crowd in the terminal, as Markdown, and as a page that needs nothing else."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.kinds.crowd import figure as crowd_figure
from iolab.kinds.crowd import seats as crowd_seats
from iolab.kinds.crowd import sentences as crowd_sentences
from iolab.kinds.crowd import words as crowd_words
from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.report import drawing
from iolab.report.markdown import flat
from iolab.report.pages import template
from iolab.report.terminal import STYLES, condensed

WIDE = 110  # columns of text
FEW = 4  # findings: beyond that a terminal tells the kinds, and the report every one
TABLES = {
    "Who is held": crowd_words.HELD,
    "What it takes": crowd_words.TAKES,
    "What a click waits": crowd_words.FEELS,
    "The kernel's part": crowd_words.KERNEL,
}


def show(console: Console, analysis: CrowdAnalysis, folder: str) -> None:
    """Print the table, what it shows, the findings, and where the rest is."""
    headings: Mapping[str, str] = crowd_words.BRIEF
    if console.width >= WIDE:
        headings = {heading: heading for heading in crowd_words.ROOMY}
    if analysis.cells:
        console.print(_rich(analysis, headings))
    if crowd_words.state(analysis):
        console.print(f"[bold red]{escape(crowd_words.state(analysis))}[/]", highlight=False)
    for sentence in crowd_sentences.sentences(analysis):
        console.print(f"- {escape(sentence)}", highlight=False)
    for severity, where, message, remedy in condensed(crowd_words.findings(analysis), FEW):
        console.print(
            f"[{STYLES[severity]}]{severity}[/], {escape(where)}: {escape(message)}\n  → {escape(remedy)}",
            highlight=False,
        )
    console.print(f"\nReport: {escape(folder)}/report.html", highlight=False, soft_wrap=True)


def _rich(analysis: CrowdAnalysis, headings: Mapping[str, str]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=escape(analysis.experiment.question),
        title_justify="left",
        title_style="bold",
    )
    for heading, shown in headings.items():
        table.add_column(
            shown,
            justify="left" if heading in crowd_words.TEXT else "right",
            no_wrap=heading not in crowd_words.TEXT,
            style="bold" if heading in crowd_words.KEYS else None,
        )
    rows = list(crowd_words.rows(analysis))
    for number, row in enumerate(rows):
        ends = number + 1 == len(rows) or rows[number + 1]["Model"] != row["Model"]
        table.add_row(*(escape(_cell(row[heading], heading, headings)) for heading in headings), end_section=ends)
    return table


def _cell(text: str, heading: str, headings: Mapping[str, str]) -> str:
    """Return a cell's text; where there is little room its heading has the unit, and fewer words do."""
    if headings is not crowd_words.BRIEF:
        return text
    return text.removesuffix(" KiB" if heading.endswith(" each") else "").removeprefix("too ")


def markdown(analysis: CrowdAnalysis) -> str:
    """Return report.md."""
    run = analysis.run
    lines = [f"# {analysis.experiment.name}: {analysis.experiment.question}", ""]
    lines += [f"**{crowd_words.state(analysis)}**", ""] if crowd_words.state(analysis) else []
    lines += [*(f"- {sentence}" for sentence in crowd_sentences.sentences(analysis)), ""]
    for title, headings in TABLES.items():
        lines += [f"## {title}", "", *_table(headings, analysis), ""]
    lines += ["## Findings", ""]
    lines += [
        f"- **{severity}**, {where}: {message}. To do: {remedy}"
        for severity, where, message, remedy in crowd_words.findings(analysis)
    ] or ["None."]
    lines += ["", "## How it was measured", "", crowd_words.place(analysis), ""]
    lines += [crowd_words.how(analysis), ""] if analysis.cells else []
    lines += [*(f"- {name}: {value}" for name, value in flat(run.environment)), ""]
    return "\n".join(lines)


def _table(headings: Sequence[str], analysis: CrowdAnalysis) -> list[str]:
    aligned = (":--" if heading in crowd_words.TEXT else "--:" for heading in headings)
    rows = (" | ".join(row[heading] for heading in headings) for row in crowd_words.rows(analysis))
    return [f"| {' | '.join(headings)} |", f"| {' | '.join(aligned)} |", *(f"| {row} |" for row in rows)]


def render(analysis: CrowdAnalysis) -> str:
    """Return report.html, one file that needs nothing else."""
    halls = crowd_seats.halls(analysis)
    return template("crowd.html.j2").render(
        analysis=analysis,
        state=crowd_words.state(analysis),
        cards=[
            (
                crowd_words.name(line[0], analysis),
                drawing.of_letter(line[0].record.model),
                *crowd_sentences.card(line, analysis),
            )
            for line in analysis.lines
        ],
        halls=halls,
        side_by_side=all(len(drawn) == 1 for _, drawn in halls),
        legend=crowd_seats.legend(analysis),
        per_row=crowd_seats.ROW,
        picture=Markup(crowd_figure.needs(analysis)),  # noqa: S704
        sentences=crowd_sentences.sentences(analysis),
        tables=TABLES,
        rows=list(crowd_words.rows(analysis)),
        text=crowd_words.TEXT,
        keys=crowd_words.KEYS,
        findings=crowd_words.findings(analysis),
        place=crowd_words.place(analysis),
        how=crowd_words.how(analysis) if analysis.cells else "",
        environment=flat(analysis.run.environment),
    )
