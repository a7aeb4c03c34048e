"""The report as Markdown, for people who paste it into their own."""

from collections.abc import Sequence

from iolab.kinds.closed import course as answers
from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.records import Cell
from iolab.kinds.closed.stories import stories
from iolab.kinds.closed.table import Column, columns, grouped_findings, resources
from iolab.report.markdown import flat


def render(analysis: Analysis) -> str:
    """Return report.md."""
    cells = [analysed.cell for analysed in analysis.cells]
    lines = [f"# {analysis.experiment.name}: {words.question(analysis)}", ""]
    lines += [
        f"- **{words.said(f'{group[0].model}, {words.name(group, analysis)}', group)}** {words.sentence(group)}"
        for group in words.by_model(analysis)
    ]
    lines += ["", *_table(columns(analysis), cells), "", "## Resources", "", *_table(resources(analysis), cells), ""]
    for heading, sentences in stories(analysis):
        lines += [f"## {heading}", "", *(f"- {sentence}" for sentence in sentences), ""]
    found = grouped_findings(cells)
    lines += ["## Findings", ""]
    lines += [
        f"- **{severity}**, {where}: {message.rstrip('.')}. To do: {remedy}"
        for severity, where, message, remedy in found
    ] or ["None."]
    if answers.applies(analysis):
        lines += ["", *_course(analysis)]
    lines += [
        "",
        "## How it was measured",
        "",
        words.runtime(analysis),
        words.settings(analysis),
        f"Load by {analysis.run.generator}. {words.cpu_plan(analysis)}.",
        "",
    ]
    lines += [f"- {name}: {value}" for name, value in flat(analysis.run.environment)]
    lines += ["", " ".join(filter(None, [words.precision(analysis), words.wall_time(analysis)])), ""]
    return "\n".join(lines)


def _course(analysis: Analysis) -> list[str]:
    """Return the course's table, and its questions with folded answers."""
    lines = ["## The course's table", ""]
    lines += [
        "| Server | Users | The course expects | Measured median | Theory | Verdict |",
        "| :-- | --: | --: | --: | --: | :-- |",
    ]
    lines += [
        f"| {row.model} | {row.users} | {row.expected} | {row.measured} | {row.predicted} | {row.verdict} |"
        for row in answers.table(analysis)
    ]
    lines += ["", "## Five questions", ""]
    for number, answer in enumerate(answers.answers(analysis), 1):
        lines += ["<details>", f"<summary>{number}. {answer.question}</summary>", ""]
        lines += [line for paragraph in answer.paragraphs for line in (paragraph, "")]
        lines += ["</details>", ""]
    return lines


def _table(kind: Sequence[Column], cells: Sequence[Cell]) -> list[str]:
    return [
        "| " + " | ".join(column.heading for column in kind) + " |",
        "| " + " | ".join("--:" if column.numeric else ":--" for column in kind) + " |",
        *("| " + " | ".join(column.text(cell) for column in kind) + " |" for cell in cells),
    ]
