"""Response time against utilisation: measured, the range of simulated plans, and theory's curves."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from iolab.kinds.open import splitting
from iolab.kinds.open.analysis import OpenAnalysis, OpenCell
from iolab.report import drawing
from iolab.theory.capacity import Distribution, queue
from iolab.theory.statistics import Array

CURVE = np.concatenate([np.linspace(0.05, 0.88, 30), np.linspace(0.89, 0.97, 9)])
LOOKS = {"constant": (drawing.COLOURS[1], "o"), "exponential": (drawing.COLOURS[0], "s")}
APART = 0.016  # of utilisation, by which marks of constant and exponential service stand apart
THEORIES: tuple[tuple[str, Distribution], ...] = (("M/M", "exponential"), ("M/D", "constant"))
FIRST_LABEL, LABEL_STEP, LABELS_SPAN = 0.9, 0.2, 0.42  # of the height of a panel: where the names of curves are
ROOM = 1.15
LEAST, MOST, LABELS = 0.2, 1.0, 1.3  # of the axis: from, to, and to the end of the labels


def response_times(analysis: OpenAnalysis, narrow: bool, *, theory: bool = True) -> str:
    """Draw a panel for each model with a queue, with `theory` or without; nothing where there is none."""
    letters = list(
        dict.fromkeys(
            cell.record.model for cell in analysis.cells if cell.record.utilisation is not None and cell.measured
        )
    )
    if not letters:
        return ""
    across = 1 if narrow else min(len(letters), 2)
    down = -(-len(letters) // across)
    with drawing.sheet(narrow, 0.5 + (3.4 if narrow else 3.9) * down) as figure:
        grid = figure.subplots(down, across, squeeze=False).flat
        for axes, letter in zip(grid, letters, strict=False):
            cells = [cell for cell in analysis.cells if cell.record.model == letter and cell.measured]
            _panel(axes, cells, theory=theory)
        for axes in grid[len(letters) :]:
            axes.set_visible(False)
        figure.supxlabel("utilisation of each worker", fontsize=drawing.TEXT, color=drawing.MUTED)
        figure.supylabel("mean response time", fontsize=drawing.TEXT, color=drawing.MUTED)
        shown = "measured and by theory" if theory else "measured"
        return drawing.svg(figure, f"Mean response time against utilisation, {shown}")


def _theory_s(distribution: Distribution, workers: float, service_s: float) -> Array:
    """Return the mean response times of M/M/c or M/D/c along CURVE."""
    return np.array([queue(distribution, rate, service_s, workers).mean_s for rate in CURVE * workers / service_s])


def _panel(axes: Axes, cells: Sequence[OpenCell], *, theory: bool) -> None:
    first, variants = cells[0].record, [each.record.variant for each in cells]
    top_ms = ROOM * max(_marks(axes, cell, variants, theory=theory) for cell in cells)
    if theory:
        _curves(axes, {cell.record.queues: cell for cell in cells}, top_ms)
    least = min(LEAST, *(cell.record.utilisation or LEAST for cell in cells)) - 0.02
    axes.set_xlim(least, LABELS)
    axes.set_ylim(0, top_ms)
    axes.yaxis.set_major_formatter(lambda value, _: drawing.duration(value) if value else "0")
    axes.set_xticks(np.arange(LEAST, MOST + 0.01, 0.2), [f"{each:.0%}" for each in np.arange(LEAST, MOST + 0.01, 0.2)])
    axes.set_title(f"{first.model}  {first.service}")


def _curves(axes: Axes, cells: Mapping[int, OpenCell], top_ms: float) -> None:
    """Draw theory for each number of queues. The most queues have the steepest curves, and the highest names."""
    drawn = [(cells[queues], *each) for queues in sorted(cells, reverse=True) for each in THEORIES]
    step = min(LABEL_STEP, LABELS_SPAN / (len(drawn) - 1))
    for number, (cell, name, variant) in enumerate(drawn):
        calibration = cell.record.calibration
        curve_ms = (_theory_s(variant, cell.queue_workers, calibration.service_s) + calibration.transit_s) * 1000
        colour, label = LOOKS[variant][0], f"{splitting.theory(cell, name)}\n{variant}"
        axes.plot(CURVE, curve_ms, color=colour, linewidth=1.4, alpha=0.75)
        _label(axes, label, curve_ms, (FIRST_LABEL - number * step) * top_ms, colour)


def _label(axes: Axes, name: str, curve_ms: Array, height_ms: float, colour: str) -> None:
    """Name a curve on the right, where no mark is, with a line from the name to the curve."""
    across = max(LEAST, float(np.interp(height_ms, curve_ms, CURVE)))
    arrow = {"arrowstyle": "-", "color": colour, "linewidth": 0.8}
    place = (across, float(np.interp(across, CURVE, curve_ms)))
    axes.annotate(name, place, (MOST + 0.02, height_ms), va="center", arrowprops=arrow)


def _marks(axes: Axes, cell: OpenCell, variants: Sequence[str], *, theory: bool) -> float:
    """Draw the measured and, with `theory`, the simulated means of a cell; return the highest value in ms."""
    measured = cell.measured
    if measured is None or cell.record.utilisation is None:
        return 0.0
    different = sorted(set(variants))
    place = cell.record.utilisation + drawing.beside(different.index(cell.record.variant), len(different), APART)
    colour, marker = LOOKS.get(cell.record.variant, (drawing.COLOURS[2], "^"))
    axes.plot(place, measured.mean_s * 1000, marker, color=colour, markersize=8, markeredgecolor=drawing.PAPER)
    ends = [measured.mean_s]
    if theory and cell.same:
        axes.plot(place, cell.same.mean_s * 1000, "_", color=drawing.INK, markersize=16, markeredgewidth=1.6)
    if theory and cell.chance:
        low, high = (each * 1000 for each in cell.chance.mean_s)
        axes.vlines(place, low, high, color=colour, linewidth=4, alpha=0.35)
        ends.append(cell.chance.mean_s[1])
    return max(ends) * 1000
