"""Faults in the terminal, as Markdown and as a page: what each did, how long clicks took meanwhile, and curves."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.chat.entries import Entry
from iolab.kinds.faults import words as fault_words
from iolab.kinds.faults.analysis import FaultsAnalysis
from iolab.kinds.faults.records import KIND_OF_ROWS, FaultRecord, Heard, Parting
from iolab.report import drawing, numbers
from iolab.report.pages import template
from iolab.results.folder import RunFolder

Curve = tuple[str, Sequence[float]]  # its name, and when each user has it, in seconds
COLUMNS = ("median", "p99", "slowest", "never answered", "back")


def show(console: Console, analysis: FaultsAnalysis, folder: str) -> None:
    """Print what clicks felt in each fault, whether one is lost, and where the rest is."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("Clicks meanwhile")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for row in _rows(analysis):
        table.add_row(*row)
    console.print(table)
    if fault_words.state(analysis):
        console.print(f"[bold red]{escape(fault_words.state(analysis))}[/]", highlight=False)
    console.print(fault_words.verdict(analysis.records), highlight=False, markup=False)
    console.print(f"\nReport: {escape(folder)}/report.html", highlight=False, soft_wrap=True)


def markdown(analysis: FaultsAnalysis) -> str:
    """Return report.md."""
    lines = [f"# {analysis.experiment.name}: {analysis.experiment.question}", ""]
    lines += [f"{fault_words.heading(analysis)}. {fault_words.place(analysis)}", ""]
    lines += [f"**{fault_words.state(analysis)}**", ""] if fault_words.state(analysis) else []
    lines += [fault_words.verdict(analysis.records), ""]
    lines += [f"| {' | '.join(('Clicks meanwhile', *COLUMNS))} |", f"| :-- |{' --: |' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(row)} |" for row in _rows(analysis)]
    lines += ["", "## What happened", ""]
    lines += [f"- {fault_words.name(each.fault)}: {fault_words.sentence(each)}." for each in analysis.records]
    return "\n".join([*lines, ""])


def render(analysis: FaultsAnalysis) -> str:
    """Return report.html, one file that needs nothing else; curves are of the rows in the run folder."""
    return template("faults.html.j2").render(
        question=analysis.experiment.question,
        heading=fault_words.heading(analysis),
        place=fault_words.place(analysis),
        state=fault_words.state(analysis),
        verdict=fault_words.verdict(analysis.records),
        clicks=_rows(analysis),
        faults=[
            {
                "name": fault_words.name(each.fault),
                "sentence": fault_words.sentence(each),
                "rows": fault_words.rows(each),
                "picture": _drawn(each, analysis.folder),
            }
            for each in analysis.records
            if each.fault != "baseline" or not each.valid
        ],
    )


ENDS = {
    "broadcast": "after the message was sent",
    "killed": "after the server was killed",
    "herd": "after all came back",
}


def curves(record: FaultRecord, folder: RunFolder) -> list[Curve]:
    """Return when each user has it: of the median and of the slowest message, or of the one event that there is."""
    if KIND_OF_ROWS.get(record.fault) not in record.rows:
        return []
    if record.fault == "herd":
        rows = folder.read_rows(record.rows, "users", Entry)
        return [("users served", [row.served_s for row in rows if row.served_s is not None])]
    if record.fault == "killed":
        return [("users who know", [row.after_s for row in folder.read_rows(record.rows, "partings", Parting)])]
    return _messages(folder.read_rows(record.rows, "heard", Heard))


def _messages(rows: Sequence[Heard]) -> list[Curve]:
    times: dict[int, list[float]] = {}
    for row in rows:
        times.setdefault(row.message, []).append(row.after_s)
    ordered = sorted(times.values(), key=max)
    if not ordered:
        return []
    middle = ("the median message", ordered[len(ordered) // 2])
    return [middle, ("the slowest message", ordered[-1])] if len(ordered) > 1 else [middle]


def picture(drawn: Sequence[Curve], since: str) -> str:
    """Draw the share of users that have it against time; nothing where there are none."""
    if not any(len(times) for _, times in drawn):
        return ""
    with mpl.rc_context({**drawing.STYLE, "ytick.labelcolor": drawing.MUTED}):
        figure = Figure(figsize=(10, 3.0), layout="constrained")
        axes = figure.subplots()
        for number, (label, times) in enumerate(drawn):
            ordered = np.concatenate([[0.0], np.sort(times)])
            share = np.linspace(0, 1, len(ordered))
            kept = np.unique(np.linspace(0, len(ordered) - 1, 500).astype(int))  # a page is no place for 10,000 points
            axes.plot(ordered[kept], share[kept], color=drawing.COLOURS[number + 1], linewidth=2, label=label)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(left=0)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: fault_words.seconds(value) if value else "0"))
        axes.grid(visible=True)
        axes.tick_params(which="both", length=0)
        axes.set_xlabel(since)
        axes.set_ylabel("share of users")
        axes.legend(frameon=False, loc="lower right")
        names = " and ".join(label for label, _ in drawn)
        return drawing.svg(figure, f"Share of users against time {since}: {names}")


def _drawn(record: FaultRecord, folder: RunFolder) -> Markup:
    since = ENDS.get(record.fault)
    return Markup(picture(curves(record, folder), since) if since else "")  # noqa: S704 (our own drawing)


def _rows(analysis: FaultsAnalysis) -> list[tuple[str, ...]]:
    return [(fault_words.name(each.fault), *fault_words.clicks(each), _back(each)) for each in analysis.records]


def _back(record: FaultRecord) -> str:
    return numbers.NOT_KNOWN if record.back is None else f"{record.back:,}"
