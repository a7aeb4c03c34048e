"""Draws what a CPU limit, and more users on it, do to throughput and response times: measured, and as theory says."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.figures import colours_of
from iolab.kinds.closed.records import Cell
from iolab.report import drawing, numbers
from iolab.report.drawing import INK, MUTED, PAPER
from iolab.theory.closed_loop import closed_loop

APART = 0.19  # of the distance between two CPU limits, by which marks of models stand apart

BESIDE = 1.15  # times the number of users, by which they do on a logarithmic axis


def _no_theory(_: Cell) -> float | None:
    return None


class Panel(NamedTuple):
    """What a panel shows: its title with the unit, a cell's value, and theory's; None is a value that is not known."""

    title: str
    value: Callable[[Cell], float | None]
    theory: Callable[[Cell], float | None] = _no_theory
    logarithmic: bool = False


def _throttled_share(cell: Cell) -> float | None:
    """Return the share of its loads' time in which the quota stopped a server."""
    if cell.server.throttled_s is None or not cell.throughput_rps:
        return None
    return min(1.0, cell.server.throttled_s / (cell.counted / cell.throughput_rps))


PANELS: Sequence[Panel] = (
    Panel("throughput, requests/s", lambda cell: cell.steady_rps, lambda cell: cell.predicted_throughput_rps),
    Panel("median (logarithmic)", lambda cell: cell.median_ms, logarithmic=True),
    Panel("p99 (logarithmic)", lambda cell: cell.p99_ms, logarithmic=True),
    Panel("time stopped by the quota", _throttled_share),
)


SATURATION: Sequence[tuple[str, Callable[[float], str]]] = (
    ("throughput, requests/s (logarithmic)", "{:,g}".format),
    ("median (logarithmic)", drawing.duration),
)


def has_rates(analysis: Analysis) -> bool:
    """Say whether there is a cell to draw: a trial of few requests has no steady window, and so no rate."""
    return any(one.cell.steady_rps and one.cell.median_ms for one in analysis.cells)


def cores(analysis: Analysis, narrow: bool, *, theory: bool = True) -> str:
    """Draw throughput, median, p99 and throttled time against the CPU limit: panels for each variant, a mark a model.

    Without `theory`, its throughput is left out. Of several numbers of users the largest is drawn. Marks of one limit
    stand beside each other.
    """
    cells = [one.cell for one in analysis.cells if one.cell.steady_rps]
    users = max(cell.concurrency for cell in cells)
    cells = [cell for cell in cells if cell.concurrency == users]
    panels = [panel if theory else panel._replace(theory=_no_theory) for panel in PANELS]
    panels = [panel for panel in panels if any(panel.value(cell) is not None for cell in cells)]
    shown = [(variant, panel) for variant in dict.fromkeys(cell.variant for cell in cells) for panel in panels]
    across = 1 if narrow else 2
    down = -(-len(shown) // across)
    with drawing.sheet(narrow, 0.6 + 2.2 * down) as figure:
        grid = figure.subplots(down, across, squeeze=False).flat
        for axes, (variant, panel) in zip(grid, shown, strict=False):
            mine = [cell for cell in cells if cell.variant == variant and panel.value(cell) is not None]
            _limits(axes, panel, mine, sorted({cell.cpus for cell in cells}), analysis)
            axes.set_title(f"{variant}: {panel.title}" if variant else panel.title)
        for axes in grid[len(shown) :]:
            axes.set_visible(False)
        label = f"CPU limit of the server, CPUs; {numbers.users(users)}"
        figure.supxlabel(label, fontsize=drawing.TEXT, color=MUTED)
        return drawing.svg(figure, "Throughput, response times and throttled time of each model against its CPU limit")


def _limits(axes: Axes, panel: Panel, cells: Sequence[Cell], limits: Sequence[float], analysis: Analysis) -> None:
    """Draw one panel: a group of marks for each CPU limit, and the letters of the models at the highest."""
    shown = models(cells)
    for number, model in enumerate(shown):
        colour, marker = colours_of(analysis)[model]
        points = [
            (limits.index(cell.cpus) + drawing.beside(number, len(shown), APART), cell)
            for cell in sorted(cells, key=lambda cell: cell.cpus)
            if cell.model == model
        ]
        xs, ys = [x for x, _ in points], [panel.value(cell) or 0.0 for _, cell in points]
        expected = [(x, theory) for x, cell in points if (theory := panel.theory(cell)) is not None]
        axes.plot(xs, ys, color=colour, linewidth=0.8, alpha=0.5)
        axes.plot([x for x, _ in expected], [y for _, y in expected], "_", color=INK, markersize=9, markeredgewidth=2)
        axes.plot(xs, ys, marker, color=colour, markersize=7, markeredgecolor=PAPER)
        _letter(axes, model, xs[-1], ys[-1])
    values = [value for cell in cells if (value := panel.value(cell))]
    if panel.logarithmic and values:
        drawing.log_axis(axes, "y", drawing.ends(min(values) * 0.85, max(values) * 1.3), 6, drawing.duration)
    else:
        axes.set_ylim(0, 1.2 * max([*values, *(panel.theory(cell) or 0.0 for cell in cells)], default=1.0) or 1.0)
        if panel.value is _throttled_share:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xticks(range(len(limits)), [f"{limit:g}" for limit in limits])
    axes.set_xlim(-0.5, len(limits) - 0.5)
    axes.grid(visible=False, axis="x")


def _letter(axes: Axes, model: str, x: float, y: float) -> None:
    axes.annotate(model, (x, y), (0, 6), textcoords="offset points", ha="center")


def saturation(analysis: Analysis, narrow: bool) -> str:
    """Draw throughput and median against the number of users: marks are measured, lines are theory's.

    Models with the same number of workers have one line. Marks of one number of users stand beside each other.
    """
    cells = [one.cell for one in analysis.cells if one.cell.steady_rps and one.cell.median_ms]
    most, server = max(cell.concurrency for cell in cells), analysis.experiment.server
    users = range(1, 2 * most + 1)
    shown = [model for model in analysis.run.models if model.letter in models(cells)]
    workers = {model.letter: (model.workers, analysis.run.at_once(model)) for model in shown}
    with drawing.sheet(narrow, 7.0 if narrow else 3.7) as figure:
        panels = figure.subplots(*((2, 1) if narrow else (1, 2)))
        ends: dict[str, tuple[float, float]] = {}
        for each, threads in dict.fromkeys(workers.values()):
            wait_s, cpu_s = server.wait_ms / 1000, server.cpu_ms / 1000
            theory = [closed_loop(c, each, wait_s, cpu_s, 1.0, threads, server.connections) for c in users]
            curves = [one.throughput_rps for one in theory], [one.latency_s * 1000 for one in theory]
            for axes, curve in zip(panels, curves, strict=True):
                axes.plot(users, curve, color=MUTED, linewidth=1.3)
            ends[_served_by(each, server.connections)] = (curves[0][-1], curves[1][-1])
        for panel, (axes, (title, text)) in enumerate(zip(panels, SATURATION, strict=True)):
            values = [(cell, (cell.steady_rps or 0.0, cell.median_ms or 0.0)[panel]) for cell in cells]
            _measured(axes, values, analysis, most)
            axes.set_title(title)
            limits = drawing.ends(
                min(*(value for _, value in values), *(both[panel] for both in ends.values())),
                max(*(value for _, value in values), *(both[panel] for both in ends.values())),
            )
            drawing.log_axis(axes, "y", limits, 7, text)
            drawing.log_axis(axes, "x", (1, users[-1]), 0, "{:g}".format)
            doubled = [2**power for power in range(0, 20, 2 if users[-1] > 64 else 1) if 2**power <= users[-1]]
            axes.set_xticks(doubled, [f"{each:,}" for each in doubled])
            low, high = math.log(limits[0]), math.log(limits[1])
            heights = drawing.spread([(math.log(both[panel]) - low) / (high - low) for both in ends.values()], 0.09)
            for name, height in zip(ends, heights, strict=True):
                axes.text(1.02, height, name, transform=axes.transAxes, va="center", color=MUTED)
        figure.supxlabel("users at the same time (logarithmic)", fontsize=drawing.TEXT, color=MUTED)
        return drawing.svg(
            figure, "Throughput and median of each model against the number of users, measured and predicted"
        )


def _measured(axes: Axes, values: Sequence[tuple[Cell, float]], analysis: Analysis, most: int) -> None:
    """Draw a mark for each cell, beside those of the other models, with the model's letter at the most users."""
    shown = models([cell for cell, _ in values])
    for cell, value in values:
        colour, marker = colours_of(analysis)[cell.model]
        x = cell.concurrency * BESIDE ** drawing.beside(shown.index(cell.model), len(shown), 1)
        axes.plot(x, value, marker, color=colour, markersize=7, markeredgecolor=PAPER)
        if cell.concurrency == most:
            _letter(axes, cell.model, x, value)


def models(cells: Sequence[Cell]) -> list[str]:
    """Return the letters of the models of some cells, in their order."""
    return list(dict.fromkeys(cell.model for cell in cells))


def _served_by(workers: float, connections: float) -> str:
    if connections < workers:
        return numbers.counted(int(connections), "connection")
    return "no limit" if math.isinf(workers) else numbers.counted(int(workers), "worker")
