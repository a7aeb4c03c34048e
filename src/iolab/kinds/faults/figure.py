"""The curves of a fault: the share of users that received a message, detected a fault or were served, over time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from iolab.chat.entries import Entry
from iolab.kinds.faults.records import KIND_OF_ROWS, Delivery, Disconnection, Fault, FaultRecord
from iolab.report import drawing, numbers
from iolab.results.folder import RunFolder

Curve = tuple[str, Sequence[float]]  # its name, and the time of each user, in seconds
SINCE: dict[Fault, str] = {
    "broadcast": "after the message was sent",
    "killed": "after the server was killed",
    "herd": "after all users tried to connect",
}


def reached(record: FaultRecord, folder: RunFolder, narrow: bool) -> str:
    """Draw the share of users that were reached against time; nothing where there is no such fault, or no row."""
    since = SINCE.get(record.fault, "")
    curves = _curves(record, folder) if since else []
    if not any(len(times) for _, times in curves):
        return ""
    down, across = (len(curves), 1) if narrow else (1, len(curves))
    with drawing.sheet(narrow, 0.5 + 2.4 * down) as figure:
        grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat
        for number, (axes, (label, times)) in enumerate(zip(grid, curves, strict=True)):
            ordered = np.concatenate([[0.0], np.sort(times)])
            share = np.linspace(0, 1, len(ordered))
            kept = np.unique(np.linspace(0, len(ordered) - 1, 500).astype(int))  # a page is no place for 10,000 points
            colour = drawing.COLOURS[number + 1]
            axes.plot(ordered[kept], share[kept], color=colour, linewidth=2, drawstyle="steps-post")
            axes.set_title(label)
        axes = grid[0]
        axes.set_ylim(0, 1.02)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(4 if narrow else 5))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.xaxis.set_major_formatter(lambda value, _: drawing.duration(round(value * 1000, 6)) if value else "0")
        figure.supxlabel(f"time {since}", fontsize=drawing.TEXT, color=drawing.MUTED)
        figure.supylabel("share of users", fontsize=drawing.TEXT, color=drawing.MUTED)
        names = numbers.listed([label for label, _ in curves])
        return drawing.svg(figure, f"Share of users against time {since}: {names}")


def _curves(record: FaultRecord, folder: RunFolder) -> list[Curve]:
    """Return the times of each user: for the median and the slowest message, or for the only event of the fault."""
    if KIND_OF_ROWS.get(record.fault) not in record.rows:
        return []
    if record.fault == "herd":
        rows = folder.read_rows(record.rows, "users", Entry)
        return [("users served", [row.served_s for row in rows if row.served_s is not None])]
    if record.fault == "killed":
        rows_lost = folder.read_rows(record.rows, "disconnections", Disconnection)
        return [("users that detect it", [row.after_s for row in rows_lost])]
    return _messages(folder.read_rows(record.rows, "deliveries", Delivery))


def _messages(rows: Sequence[Delivery]) -> list[Curve]:
    times: dict[int, list[float]] = {}
    for row in rows:
        times.setdefault(row.message, []).append(row.after_s)
    ordered = sorted(times.values(), key=max)
    if not ordered:
        return []
    middle = ("the median message", ordered[len(ordered) // 2])
    return [middle, ("the slowest message", ordered[-1])] if len(ordered) > 1 else [middle]
