"""The report as Markdown, for people who paste it into their own."""

from collections.abc import Sequence

from iolab.analysis import Analysis
from iolab.records import Cell
from iolab.report import words
from iolab.report.table import Column, columns, grouped_findings, resources


def render(analysis: Analysis) -> str:
    """Return report.md."""
    cells = [analysed.cell for analysed in analysis.cells]
    lines = [f"# {analysis.experiment.name}: {words.question(analysis)}", ""]
    lines += [
        f"- **{group[0].model}, {words.name(group, analysis)}, {words.verdict(group)}.** {words.sentence(group)}"
        for group in words.by_model(analysis)
    ]
    lines += ["", *_table(columns(analysis), cells), "", "## Resources", "", *_table(resources(analysis), cells), ""]
    found = grouped_findings(cells)
    lines += ["## Findings", ""]
    lines += [
        f"- **{severity}**, {where}: {message.rstrip('.')}. To do: {remedy}"
        for severity, where, message, remedy in found
    ] or ["None."]
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
    lines += ["", words.wall_time(analysis), ""]
    return "\n".join(lines)


def flat(environment: dict[str, object]) -> list[tuple[str, str]]:
    """Return the environment as names and texts."""
    return [(name.removesuffix("_bytes").replace("_", " "), _text(name, value)) for name, value in environment.items()]


def _text(name: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {version}" for key, version in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{int(str(value)) / 2**30:.1f} GiB" if name.endswith("_bytes") else str(value)


def _table(kind: Sequence[Column], cells: Sequence[Cell]) -> list[str]:
    return [
        "| " + " | ".join(column.heading for column in kind) + " |",
        "| " + " | ".join("--:" if column.numeric else ":--" for column in kind) + " |",
        *("| " + " | ".join(column.text(cell) for column in kind) + " |" for cell in cells),
    ]
