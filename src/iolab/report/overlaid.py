"""Draws the distributions of response times of several sides over each other, a panel for each cell."""

import math
from collections.abc import Sequence

import numpy as np

from iolab.report import drawing
from iolab.report.compared import Row, by_cell
from iolab.report.pairing import ORDINALS
from iolab.theory.statistics import Array

MOST_PANELS = 16
POINTS = 400  # of a line
CAPTION = (
    "The share of requests that were answered within a time, all runs of a side together. The broad grey line is the"
    " first side; where lines lie over each other, the sides agree."
)


def drawn(rows: Sequence[Row]) -> bool:
    """Return whether there is anything to draw."""
    return any(_times_ms(row, at) is not None for row in rows for at in (0, 1))


def picture(rows: Sequence[Row], narrow: bool) -> str:
    """Draw the share of requests that were answered within a time: the first side broad and grey, the others above."""
    shown = [each for each in by_cell(rows) if _lines(each)][:MOST_PANELS]
    if not shown:
        return ""
    across = 1 if narrow else 2
    down = math.ceil(len(shown) / across)
    every = np.concatenate([times for panel in shown for _, times in _lines(panel)])
    limits = drawing.ends(float(every.min()), float(every.max()))
    with drawing.sheet(narrow, 0.6 + 1.7 * down) as figure:
        grid = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
        for axes, panel in zip(grid, shown, strict=False):
            for number, times_ms in _lines(panel):
                at = np.unique(np.linspace(0, len(times_ms) - 1, min(POINTS, len(times_ms))).astype(int))
                colour = drawing.COLOURS[(number - 1) % len(drawing.COLOURS)] if number else drawing.MUTED
                width, alpha = (1.8, 1.0) if number else (5.0, 0.5)
                label = ORDINALS[number]
                shares = (at + 1) / len(times_ms)
                axes.step(times_ms[at], shares, where="post", color=colour, linewidth=width, alpha=alpha, label=label)
            axes.set_title(f"{panel[0].name}: {', '.join(row.verdict for row in panel)}")
            axes.set_ylim(0, 1.03)
            axes.set_yticks([0, 0.5, 0.95], ["0", "50%", "95%"])
            drawing.log_axis(axes, "x", limits, 5, drawing.duration)
        grid[0].legend(loc="lower right", frameon=False, fontsize=drawing.TEXT)
        for axes in grid[len(shown) :]:
            axes.set_visible(False)
        figure.supxlabel("response time (logarithmic)", fontsize=drawing.TEXT, color=drawing.MUTED)
        return drawing.svg(figure, "The share of requests answered within a time, of each side")


def _lines(panel: Sequence[Row]) -> list[tuple[int, Array]]:
    """Return the sides of a panel (0 is the first) with their response times, sorted, in ms."""
    sides = [(0, _times_ms(panel[0], 0)), *((row.second, _times_ms(row, 1)) for row in panel)]
    return [(number, times) for number, times in sides if times is not None]


def _times_ms(row: Row, at: int) -> Array | None:
    cells = (row.pair.first, row.pair.second)[at]
    times = [np.asarray(cell.times_s) for cell in cells if len(cell.times_s)]
    return np.sort(np.concatenate(times)) * 1000 if times else None
