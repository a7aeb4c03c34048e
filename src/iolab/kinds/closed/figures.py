"""Draws the response times of a report's cells: every request, and the tails."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.report import drawing, numbers
from iolab.report.drawing import INK, PAPER, of_letter, shape_of

MOST_DOTS = 3000
MANY_CELLS = 12
LONG_LABEL = 38  # letters of a label that has no room beside its value in a narrow figure
NINES = ((2, "50%"), (10, "90%"), (100, "99%"), (1000, "99.9%"), (10_000, "99.99%"))
AXIS_IN, LABEL_IN = 0.95, 1.4  # the room for the labels of an axis, and for that at the end of a line
POINTS = 120  # of a line


def overview(analysis: Analysis, narrow: bool, *, theory: bool = True) -> str:
    """Draw every request of every cell as a dot on one logarithmic axis, with median and, if `theory`, prediction.

    Of several CPU limits the lowest and the highest are drawn: those between them repeat one of both.
    """
    extreme = {min(analysis.experiment.cpus), max(analysis.experiment.cpus)}
    cells = [one for one in analysis.cells if len(one.latencies_s) and one.cell.cpus in extreme]
    colours, few = colours_of(analysis), len(cells) <= MANY_CELLS
    row_in = 0.66 if narrow else 0.52 if few else 0.34
    with drawing.sheet(narrow, 1.1 + row_in * len(cells)) as figure:
        axes = figure.add_subplot()
        scatter = np.random.default_rng(7)
        for row, analysed in enumerate(cells):
            place, look = drawing.band(row, narrow), colours[analysed.cell.model]
            _row(axes, place, analysed, look, scatter, theory=theory)
        drawing.log_axis(axes, "x", _limits(cells, theory=theory), 5 if narrow else 10, drawing.duration)
        names = [_label(analysed, analysis) for analysed in cells]
        if narrow and max(map(len, names), default=0) > LONG_LABEL:
            names = [_label(analysed, analysis, short=True) for analysed in cells]
        drawing.rows(axes, names, [numbers.milliseconds(each.cell.median_ms) for each in cells], narrow)
        axes.set_title("median", loc="right", color=drawing.MUTED)
        for edge in _group_edges(cells):
            axes.axhline(edge - 0.5, color=drawing.GRID, linewidth=0.8)
        figure.supxlabel("response time (logarithmic)", fontsize=drawing.TEXT, color=drawing.MUTED)
        dpi = 160 if few else 80  # the dots are pixels: a page stays under 1 MB
        shown = "median and prediction" if theory else "median"
        return drawing.svg(figure, f"Every request of every cell as a dot, with {shown}", dpi)


def tails(analysis: Analysis, narrow: bool) -> str:
    """Draw response time against percentile, each further nine as wide as the one before: tails that a median hides.

    A panel a setting, with the fewest and the most users of it, each up to its slowest request; a percentile is that
    of a request, not between two. The line of the fewest is broad, so that it is seen behind one that is the same.
    Source of the axis: HdrHistogram's percentile plot, http://hdrhistogram.org.
    """
    panels = _panels(analysis)
    cells = [cell for pair in panels for cell in pair]
    across = 1 if narrow else 2
    down = math.ceil(len(panels) / across)
    limits, requests = _limits(cells, theory=True), max(len(one.latencies_s) for one in cells)
    with drawing.sheet(narrow, 0.5 + 1.75 * down) as figure:
        grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat
        for axes, pair in zip(grid, panels, strict=False):
            _tail(axes, pair, colours_of(analysis)[pair[0].cell.model][0], limits)
            axes.set_title(_setting(pair[0], analysis))
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        axes = grid[0]
        axes.set_xscale("log")
        line_in = (drawing.NARROW_IN if narrow else drawing.WIDE_IN / 2) - AXIS_IN - LABEL_IN
        axes.set_xlim(1, requests ** (1 + LABEL_IN / line_in))
        shown = [(at, name) for at, name in NINES if at <= requests]
        axes.set_xticks([at for at, _ in shown], [name for _, name in shown])
        axes.xaxis.set_minor_locator(NullLocator())
        drawing.log_axis(axes, "y", limits, 6, drawing.duration)
        figure.supxlabel("share of requests (each nine equally wide)", fontsize=drawing.TEXT, color=drawing.MUTED)
        figure.supylabel("answered within (logarithmic)", fontsize=drawing.TEXT, color=drawing.MUTED)
        return drawing.svg(figure, "Response time of every setting against percentile, on a scale that shows the tail")


def has_tails(analysis: Analysis) -> bool:
    """Say whether the tails of this run can be drawn: it has requests, and no more settings than panels."""
    return 0 < len(_panels(analysis)) <= MANY_CELLS


def _panels(analysis: Analysis) -> list[list[AnalysedCell]]:
    """Return the fewest and the most users of each setting; a setting can have just one number of users."""
    groups: dict[tuple[str, str, float], list[AnalysedCell]] = {}
    for one in analysis.cells:
        if len(one.latencies_s) > 1:
            groups.setdefault((one.cell.model, one.cell.variant, one.cell.cpus), []).append(one)
    ordered = [sorted(group, key=lambda one: one.cell.concurrency) for group in groups.values()]
    return [group if len(group) == 1 else [group[0], group[-1]] for group in ordered]


def _tail(axes: Axes, pair: Sequence[AnalysedCell], colour: str, limits: tuple[float, float]) -> None:
    low, high = np.log(limits)
    slowest = [float(one.latencies_s.max()) * 1000 for one in pair]
    heights = drawing.spread([float((np.log(each) - low) / (high - low)) for each in slowest], 0.12)
    for number, (one, slowest_ms, height) in enumerate(zip(pair, slowest, heights, strict=True)):
        last = number == len(pair) - 1
        beyond = np.geomspace(1, len(one.latencies_s), POINTS)
        values_ms = np.quantile(one.latencies_s, 1 - 1 / beyond, method="higher") * 1000
        axes.plot(
            beyond,
            values_ms,
            color=colour,
            linewidth=1.8 if last else 6,
            alpha=1 if last else 0.35,
            solid_capstyle="butt",
        )
        text = f"c = {one.cell.concurrency}: {numbers.milliseconds(slowest_ms)}"
        place = (beyond[-1], height)
        axes.annotate(
            text, place, (5, 0), axes.get_xaxis_transform(), "offset points", va="center", annotation_clip=False
        )


def colours_of(analysis: Analysis) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each model, by its letter: a model looks alike in every report."""
    return {model.letter: (of_letter(model.letter), shape_of(model.letter)) for model in analysis.run.models}


def _row(
    axes: Axes,
    place: tuple[float, float],
    analysed: AnalysedCell,
    look: tuple[str, str],
    scatter: np.random.Generator,
    *,
    theory: bool,
) -> None:
    (middle, half), (colour, marker) = place, look
    latencies_ms = analysed.latencies_s * 1000
    predicted_ms = analysed.cell.predicted_median_ms if theory else None
    few = len(latencies_ms) <= MOST_DOTS
    shown = latencies_ms if few else scatter.choice(latencies_ms, MOST_DOTS, replace=False)
    heights = middle + scatter.uniform(-0.85 * half, 0.85 * half, len(shown))
    axes.scatter(shown, heights, s=9, color=colour, alpha=0.35, linewidths=0, rasterized=True)
    if predicted_ms:
        axes.plot(
            [predicted_ms] * 2, [middle - 1.25 * half, middle + 1.25 * half], color=INK, linewidth=2,
            solid_capstyle="butt",
        )  # fmt: skip
    median_ms = analysed.cell.median_ms or 0.0
    axes.plot(median_ms, middle, marker, markersize=10, color=colour, markeredgecolor=PAPER, markeredgewidth=1.5)


def _limits(cells: Sequence[AnalysedCell], *, theory: bool = False) -> tuple[float, float]:
    """Return the ends of the time axis in ms, with room for the predictions of `theory`."""
    if not cells:
        return 10.0, 100.0
    predicted = [each.cell.predicted_median_ms for each in cells if theory and each.cell.predicted_median_ms]
    least = min(*(float(analysed.latencies_s.min()) * 1000 for analysed in cells), *predicted, math.inf)
    most = max(*(float(analysed.latencies_s.max()) * 1000 for analysed in cells), *predicted, 0.0)
    return drawing.ends(least, most)


def _setting(analysed: AnalysedCell, analysis: Analysis) -> str:
    cell = analysed.cell
    return f"{cell.model}  {cell.title}{words.condition(cell, analysis, before=', ')}"


def _label(analysed: AnalysedCell, analysis: Analysis, *, short: bool = False) -> str:
    cell = analysed.cell
    model = f"{cell.model}  c = {cell.concurrency}" if short else f"{cell.model}  {cell.title}, c = {cell.concurrency}"
    return model + words.condition(cell, analysis, before=", ")


def _group_edges(cells: Sequence[AnalysedCell]) -> list[int]:
    return [row for row in range(1, len(cells)) if cells[row].cell.model != cells[row - 1].cell.model]
