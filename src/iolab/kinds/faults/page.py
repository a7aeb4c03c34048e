"""Faults in the terminal and as a page: what each did, what clicks felt meanwhile, and curves of who has it when."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from rich import box
from rich.console import Console
from rich.table import Table

from iolab.kinds.crowd.records import Entry
from iolab.kinds.faults import words as fault_words
from iolab.kinds.faults.records import FaultRecord, FaultsRun, Heard, Parting
from iolab.report import drawing, words
from iolab.report.pages import template
from iolab.results.folder import RunFolder

Curve = tuple[str, Sequence[float]]  # its name, and when each user has it, in seconds
STATUSES = {"partial": "It was interrupted: what is here was measured before.", "failed": "Not all is as it should be."}


def show(console: Console, run: FaultsRun) -> None:
    """Print what clicks felt in each fault, and whether one is lost."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("Clicks meanwhile")
    for column in ("median", "p99", "slowest", "never answered", "back"):
        table.add_column(column, justify="right")
    for record in run.faults:
        table.add_row(fault_words.name(record.fault), *fault_words.clicks(record), _back(record))
    console.print(table)
    console.print(fault_words.verdict(run), highlight=False, markup=False)


def render(run: FaultsRun, folder: RunFolder) -> str:
    """Return faults.html, one file that needs nothing else; curves are of the rows in the run folder."""
    return template("faults.html.j2").render(
        run=run,
        place=words.PLACES[run.runtime],
        status=STATUSES.get(run.status, ""),
        verdict=fault_words.verdict(run),
        clicks=[(fault_words.name(each.fault), *fault_words.clicks(each), _back(each)) for each in run.faults],
        faults=[
            {
                "name": fault_words.name(each.fault),
                "sentence": fault_words.sentence(each),
                "rows": fault_words.rows(each),
                "picture": Markup(picture(curves(each, folder), ENDS[each.fault])) if each.fault in ENDS else "",  # noqa: S704 (our own drawing)
            }
            for each in run.faults
            if each.fault != "calm"
        ],
    )


ENDS = {
    "broadcast": "after the message was sent",
    "killed": "after the server was killed",
    "herd": "after all came back",
}


def curves(record: FaultRecord, folder: RunFolder) -> list[Curve]:
    """Return when each user has it: of the median and of the slowest message, or of the one event that there is."""
    if "users" not in record.rows:
        return []
    if record.fault == "herd":
        rows = folder.read_rows(record.rows, "users", Entry)
        return [("users served", [row.served_s for row in rows if row.served_s is not None])]
    if record.fault == "killed":
        return [("users who know", [row.after_s for row in folder.read_rows(record.rows, "users", Parting)])]
    return _messages(folder.read_rows(record.rows, "users", Heard))


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
    """Draw the share of users who have it against time; nothing where there are none."""
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


def _back(record: FaultRecord) -> str:
    return words.NOT_KNOWN if record.back is None else f"{record.back:,}"
