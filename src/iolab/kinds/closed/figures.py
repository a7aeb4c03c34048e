"""Draws the latencies of a report's cells: every request, their distributions, their tails."""

import itertools
import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import AnalysedCell, Analysis
from iolab.report import numbers
from iolab.report.drawing import COLOURS, GRID, INK, MARKERS, MUTED, PAPER, STYLE, svg
from iolab.theory.statistics import Array

MOST_DOTS = 3000
MANY_CELLS = 12
ACROSS = 4  # panels in a row
MOST_DECADES_WITH_STEPS = 3.05
AXIS = "latency of a request (logarithmic)"


def overview(analysis: Analysis) -> str:
    """Draw every request of every cell as a dot on one logarithmic axis, with median and prediction."""
    cells = [analysed for analysed in analysis.cells if len(analysed.latencies_s)]
    colours = colours_of(analysis)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 1.1 + 0.52 * len(cells)), layout="constrained")
        axes = figure.add_subplot()
        scatter = np.random.default_rng(7)
        for row, analysed in enumerate(cells):
            _row(axes, row, analysed, colours[analysed.cell.model], scatter)
        _latency_axis(axes, _limits(cells), steps=(1, 2, 5) if len(cells) <= MANY_CELLS else (1,))
        figure.supxlabel(AXIS, fontsize=11, color=MUTED)
        axes.text(1.01, -0.75, "median", transform=axes.get_yaxis_transform(), color=MUTED)
        axes.set_yticks(range(len(cells)), [_label(analysed, analysis) for analysed in cells])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(cells) - 0.4, -0.6)
        for edge in _group_edges(cells):
            axes.axhline(edge - 0.5, color=GRID, linewidth=0.8)
        dpi = 160 if len(cells) <= MANY_CELLS else 80  # the dots are pixels: a page stays under 1 MB
        return svg(figure, "Every request of every cell as a dot, with median and prediction", dpi)


def distributions(analysis: Analysis) -> str:
    """Draw a histogram and the cumulative share for every cell: a column a concurrency, or as many as fit."""
    cells = [analysed for analysed in analysis.cells if len(analysed.latencies_s)]
    users = sorted({analysed.cell.concurrency for analysed in cells})
    across = len(users) if len(users) > 1 else min(len(cells), ACROSS)
    down = math.ceil(len(cells) / across)
    colours, limits = colours_of(analysis), _limits(cells)
    height = 0.9 + 1.45 * down
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, height))
        # Not "constrained": that draws everything twice, which takes seconds where there are many panels.
        figure.subplots_adjust(0.06, 0.62 / height, 0.985, 1 - 0.28 / height, wspace=0.16, hspace=0.42)
        grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for axes, analysed in itertools.zip_longest(grid.flat, cells):
            if analysed is None:
                axes.set_visible(False)
                continue
            cell = analysed.cell
            title = f"{cell.model}{f'  ·  c = {cell.concurrency}' if len(users) > 1 else ''}"
            title += words.condition(cell, analysis, before="  ·  ")
            _distribution(axes, analysed, colours[cell.model][0], limits, few=len(cells) <= MANY_CELLS)
            _latency_axis(axes, limits, steps=(1,))
            axes.set_ylim(0, 105)
            axes.set_yticks([0, 50, 100], ["0", "50", "100%"])
            axes.grid(visible=True, axis="y")
            axes.set_title(title, loc="left", fontsize=11 if across < ACROSS else 9, color=INK)
        figure.supxlabel(AXIS, fontsize=11, color=MUTED)
        return svg(figure, "Histogram and cumulative share of the latencies of every cell")


def percentiles(analysis: Analysis) -> str:
    """Draw latency against percentile, each further nine as wide as the one before: tails that a median hides.

    A line a cell, each up to its slowest request; a percentile is that of a request, not between two. Most users are
    drawn solid, fewer dashed.
    Source of the axis: HdrHistogram's percentile plot, http://hdrhistogram.org.
    """
    cells = [one for one in analysis.cells if len(one.latencies_s) > 1]
    looks = _looks(cells, analysis)
    most = max(one.cell.concurrency for one in cells)
    nines = max(len(one.latencies_s) for one in cells)
    with mpl.rc_context({**STYLE, "ytick.labelcolor": MUTED}):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for one in cells:
            cell = one.cell
            colour, marker = looks[cell.model, cell.variant, cell.cpus]
            beyond = np.geomspace(1, len(one.latencies_s), 120)
            values_ms = np.quantile(one.latencies_s, 1 - 1 / beyond, method="higher") * 1000
            solid = cell.concurrency == most
            axes.plot(
                beyond,
                values_ms,
                color=colour,
                linewidth=2 if solid else 1.2,
                linestyle="-" if solid else (0, (4, 2)),
                marker=marker,
                markevery=[-1],
                label=_label(one, analysis),
            )
        axes.set_xscale("log")
        axes.set_xlim(1, nines * 1.15)
        ticks = [(1, "0%"), (2, "50%"), (10, "90%"), (100, "99%"), (1000, "99.9%"), (10_000, "99.99%")]
        shown = [(at, name) for at, name in ticks if at <= nines]
        axes.set_xticks([at for at, _ in shown], [name for _, name in shown])
        axes.xaxis.set_minor_locator(LogLocator(subs=()))
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(_tick))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(visible=True)
        axes.tick_params(which="both", length=0)
        axes.legend(frameon=False, fontsize=9.5, labelcolor=INK, loc="upper left")
        figure.supxlabel("share of the requests that were answered within", fontsize=11, color=MUTED)
        return svg(figure, "Latency of every cell against percentile, on a scale that shows the tail")


def _looks(cells: Sequence[AnalysedCell], analysis: Analysis) -> dict[tuple[str, str, float], tuple[str, str]]:
    """Return colour and marker of each setting: its model's, or its own where one model is measured in several."""
    settings = list(dict.fromkeys((one.cell.model, one.cell.variant, one.cell.cpus) for one in cells))
    if len({model for model, _, _ in settings}) == 1:
        first = COLOURS.index(colours_of(analysis)[settings[0][0]][0])
        places = ((first + number) % len(COLOURS) for number in range(len(settings)))
        return {each: (COLOURS[place], MARKERS[place]) for each, place in zip(settings, places, strict=True)}
    return {each: colours_of(analysis)[each[0]] for each in settings}


def colours_of(analysis: Analysis) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each model, by its letter: a model looks alike in every report."""
    places = {model.letter: ord(model.letter[0].upper()) - ord("A") for model in analysis.run.models}
    return {letter: (COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]) for letter, place in places.items()}


def _row(axes: Axes, row: int, analysed: AnalysedCell, look: tuple[str, str], scatter: np.random.Generator) -> None:
    colour, marker = look
    latencies_ms, predicted_ms = analysed.latencies_s * 1000, analysed.cell.predicted_median_ms
    few = len(latencies_ms) <= MOST_DOTS
    shown = latencies_ms if few else scatter.choice(latencies_ms, MOST_DOTS, replace=False)
    heights = row + scatter.uniform(-0.26, 0.26, len(shown))
    axes.scatter(shown, heights, s=9, color=colour, alpha=0.35, linewidths=0, rasterized=True)
    if predicted_ms:
        axes.plot([predicted_ms] * 2, [row - 0.38, row + 0.38], color=INK, linewidth=2, solid_capstyle="butt")
    median_ms = analysed.cell.median_ms or 0.0
    axes.plot(median_ms, row, marker, markersize=10, color=colour, markeredgecolor=PAPER, markeredgewidth=1.5)
    place = axes.get_yaxis_transform()
    axes.text(1.01, row, numbers.milliseconds(median_ms), transform=place, va="center", weight="bold")


def _distribution(axes: Axes, analysed: AnalysedCell, colour: str, limits: tuple[float, float], *, few: bool) -> None:
    latencies_ms = np.sort(analysed.latencies_s * 1000)
    bins = np.geomspace(*limits, 90 if few else 45)
    counts, _ = np.histogram(latencies_ms, bins)
    axes.stairs(counts * 100 / len(latencies_ms), bins, fill=True, color=colour, alpha=0.45, linewidth=0)
    x, y = _steps(latencies_ms, limits, 200 if few else 80)
    axes.plot(x, y, color=colour, linewidth=1.8)
    if analysed.cell.predicted_median_ms:
        axes.axvline(analysed.cell.predicted_median_ms, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))


def _steps(ordered: Array, limits: tuple[float, float], most: int) -> tuple[Array, Array]:
    """Return the cumulative share in percent as a line of at most some `most` points."""
    shares = np.linspace(0, 1, min(len(ordered), most))
    values = np.quantile(ordered, shares, method="inverted_cdf")
    return np.concatenate([[limits[0]], values, [limits[1]]]), np.concatenate([[0], shares * 100, [100]])


def _limits(cells: Sequence[AnalysedCell]) -> tuple[float, float]:
    """Return the ends of the latency axis in ms, on steps of 1, 2, 5."""
    if not cells:
        return 10.0, 100.0
    predicted = [analysed.cell.predicted_median_ms for analysed in cells if analysed.cell.predicted_median_ms]
    least = min(*(float(analysed.latencies_s.min()) * 1000 for analysed in cells), *predicted, math.inf)
    most = max(*(float(analysed.latencies_s.max()) * 1000 for analysed in cells), *predicted, 0.0)
    ends = [step * 10.0**power for power in range(-2, 6) for step in (1, 2, 5)]
    low = max((end for end in ends if end <= least * 0.95), default=ends[0])
    high = min((end for end in ends if end >= most * 1.05), default=ends[-1])
    return low, high


def _latency_axis(axes: Axes, limits: tuple[float, float], steps: Sequence[float] = (1, 2, 5)) -> None:
    if math.log10(limits[1] / limits[0]) > MOST_DECADES_WITH_STEPS:
        steps = (1,)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_locator(LogLocator(subs=()))
    axes.grid(visible=True, axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", length=0)


def _tick(value: float, _: int | None = None) -> str:
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"


def _label(analysed: AnalysedCell, analysis: Analysis) -> str:
    cell = analysed.cell
    return f"{cell.model}  {cell.title}, c = {cell.concurrency}{words.condition(cell, analysis, before=', ')}"


def _group_edges(cells: Sequence[AnalysedCell]) -> list[int]:
    return [row for row in range(1, len(cells)) if cells[row].cell.model != cells[row - 1].cell.model]
