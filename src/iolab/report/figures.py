"""Draws the figures of a report as SVG that takes its text colours from the page around it."""

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from iolab.analysis import AnalysedCell, Analysis
from iolab.report import words
from iolab.stats import Array

# Okabe and Ito's colours, which colour-blind readers tell apart; shapes say the same again.
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
# Stand-ins in the drawing, exchanged for the page's own colours, light or dark.
INK, MUTED, GRID = "#010203", "#040506", "#070809"
_PAGE = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)"}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "iolab",  # the same run gives the same bytes
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
}
MOST_DOTS = 3000
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
        _latency_axis(axes, _limits(cells))
        figure.supxlabel(AXIS, fontsize=11, color=MUTED)
        axes.text(1.01, -0.75, "median", transform=axes.get_yaxis_transform(), color=MUTED)
        axes.set_yticks(range(len(cells)), [_label(analysed, analysis) for analysed in cells])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(cells) - 0.4, -0.6)
        for edge in _group_edges(cells):
            axes.axhline(edge - 0.5, color=GRID, linewidth=0.8)
        return _svg(figure, "Every request of every cell as a dot, with median and prediction")


def distributions(analysis: Analysis) -> str:
    """Draw a histogram and the cumulative share for every cell: a row a model, a column a concurrency."""
    cells = [analysed for analysed in analysis.cells if len(analysed.latencies_s)]
    rows = list(dict.fromkeys((analysed.cell.model, analysed.cell.cpus) for analysed in cells))
    columns = sorted({analysed.cell.concurrency for analysed in cells})
    colours, limits = colours_of(analysis), _limits(cells)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 0.5 + 1.55 * len(rows)), layout="constrained")
        grid = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
        found = {(analysed.cell.model, analysed.cell.cpus, analysed.cell.concurrency): analysed for analysed in cells}
        for row, (model, cpus) in enumerate(rows):
            for column, concurrency in enumerate(columns):
                axes = grid[row][column]
                analysed = found.get((model, cpus, concurrency))
                if analysed:
                    _distribution(axes, analysed, colours[model][0], limits)
                _latency_axis(axes, limits, steps=(1,))
                axes.set_ylim(0, 105)
                axes.set_yticks([0, 50, 100], ["0", "50", "100%"])
                axes.tick_params(axis="y", labelleft=column == 0)
                axes.grid(visible=True, axis="y")
                title = f"{model}  ·  c = {concurrency}" + (
                    f"  ·  {cpus:g} CPU" if len(analysis.experiment.cpus) > 1 else ""
                )
                axes.set_title(title, loc="left", fontsize=11, color=INK)
        figure.supxlabel(AXIS, fontsize=11, color=MUTED)
        return _svg(figure, "Histogram and cumulative share of the latencies of every cell")


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
    axes.plot(median_ms, row, marker, markersize=10, color=colour, markeredgecolor="white", markeredgewidth=1.5)
    place = axes.get_yaxis_transform()
    axes.text(1.01, row, words.milliseconds(median_ms), transform=place, va="center", weight="bold")


def _distribution(axes: Axes, analysed: AnalysedCell, colour: str, limits: tuple[float, float]) -> None:
    latencies_ms = np.sort(analysed.latencies_s * 1000)
    bins = np.geomspace(*limits, 90)
    weights = np.full(len(latencies_ms), 100 / len(latencies_ms))
    axes.hist(latencies_ms, bins=bins.tolist(), weights=weights, color=colour, alpha=0.45, linewidth=0)
    x, y = _steps(latencies_ms, limits)
    axes.plot(x, y, color=colour, linewidth=1.8)
    if analysed.cell.predicted_median_ms:
        axes.axvline(analysed.cell.predicted_median_ms, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))


def _steps(ordered: Array, limits: tuple[float, float]) -> tuple[Array, Array]:
    """Return the cumulative share in percent as a line of at most some 200 points."""
    shares = np.linspace(0, 1, min(len(ordered), 200))
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
    limit = f", {cell.cpus:g} CPU" if len(analysis.experiment.cpus) > 1 else ""
    return f"{cell.model}  {cell.title}, c = {cell.concurrency}{limit}"


def _group_edges(cells: Sequence[AnalysedCell]) -> list[int]:
    return [row for row in range(1, len(cells)) if cells[row].cell.model != cells[row - 1].cell.model]


def _svg(figure: Figure, description: str) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, dpi=160, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    for stand_in, colour in _PAGE.items():
        svg = svg.replace(stand_in, colour)
    svg = svg.replace("'DejaVu Sans'", "inherit").replace("DejaVu Sans", "inherit")
    return svg.replace("<svg", f'<svg role="img" aria-label="{description}"', 1)
