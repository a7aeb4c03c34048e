"""Draws the distributions of response times of two runs over each other, a panel for each cell."""

import math
from collections.abc import Sequence

import numpy as np

from iolab.kinds.closed.compare import Comparison
from iolab.report import drawing

MOST_PANELS = 16
POINTS = 400  # of a line


def picture(found: Sequence[Comparison], narrow: bool) -> str:
    """Draw the share of requests that were answered within a time: the first run broad and grey, the second above."""
    shown = [each for each in found if len(each.first.latencies_s) and len(each.second.latencies_s)][:MOST_PANELS]
    if not shown:
        return ""
    across = 1 if narrow else 2
    down = math.ceil(len(shown) / across)
    every = np.concatenate([side.latencies_s for each in shown for side in (each.first, each.second)]) * 1000
    limits = drawing.ends(float(every.min()), float(every.max()))
    with drawing.sheet(narrow, 0.6 + 1.7 * down) as figure:
        grid = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
        for axes, each in zip(grid, shown, strict=False):
            cell = each.first.cell
            styles = ((each.first, drawing.MUTED, 5.0, 0.5), (each.second, drawing.of_letter(cell.model), 1.8, 1.0))
            for side, colour, width, alpha in styles:
                times_ms = np.sort(side.latencies_s) * 1000
                at = np.unique(np.linspace(0, len(times_ms) - 1, min(POINTS, len(times_ms))).astype(int))
                shares = (at + 1) / len(times_ms)
                axes.step(times_ms[at], shares, where="post", color=colour, linewidth=width, alpha=alpha)
            setting = ", ".join(filter(None, [f"{cell.model}{cell.concurrency}", f"{cell.cpus:g} CPU", cell.variant]))
            axes.set_title(f"{setting}: {each.verdict}")
            axes.set_ylim(0, 1.03)
            axes.set_yticks([0, 0.5, 0.95], ["0", "50%", "95%"])
            drawing.log_axis(axes, "x", limits, 5, drawing.duration)
        for axes in grid[len(shown) :]:
            axes.set_visible(False)
        figure.supxlabel("response time (logarithmic)", fontsize=drawing.TEXT, color=drawing.MUTED)
        return drawing.svg(figure, "The share of requests answered within a time, of the first and of the second run")
