"""Draws how CPU limits and users change throughput and latency, measured and predicted."""

import math
from collections.abc import Callable, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.figures import colours_of
from iolab.kinds.closed.records import Cell
from iolab.report.drawing import INK, MUTED, PAPER, STYLE, svg
from iolab.theory.closed_loop import closed_loop


def _throttled_share(cell: Cell) -> float | None:
    """Return the share of the time of its loads in which the quota stopped a server."""
    if cell.server.throttled_s is None or not cell.throughput_rps:
        return None
    return min(1.0, cell.server.throttled_s / (cell.counted / cell.throughput_rps))


PANELS: Sequence[tuple[str, Callable[[Cell], float | None]]] = (
    ("requests a second", lambda cell: cell.steady_rps),
    ("median, ms", lambda cell: cell.median_ms),
    ("throttled, share", _throttled_share),
)


def cores(analysis: Analysis) -> str:
    """Draw throughput, median and throttled time against the CPU limit: a row a variant, a line a model.

    Of several numbers of users the largest is drawn.
    """
    cells = [one.cell for one in analysis.cells if one.cell.steady_rps]
    users = max(cell.concurrency for cell in cells)
    cells = [cell for cell in cells if cell.concurrency == users]
    variants = list(dict.fromkeys(cell.variant for cell in cells))
    looks = colours_of(analysis)
    limits = sorted({cell.cpus for cell in cells})
    with mpl.rc_context({**STYLE, "ytick.labelcolor": MUTED}):
        figure = Figure(figsize=(10, 0.7 + 2.4 * len(variants)), layout="constrained")
        grid = figure.subplots(len(variants), 3, sharex=True, squeeze=False)
        for row, variant in enumerate(variants):
            for axes, (title, value) in zip(grid[row], PANELS, strict=True):
                for model in dict.fromkeys(cell.model for cell in cells):
                    mine = sorted((c for c in cells if (c.model, c.variant) == (model, variant)), key=lambda c: c.cpus)
                    colour, marker = looks[model]
                    xs = [cell.cpus for cell in mine]
                    ys = [value(cell) for cell in mine]
                    axes.plot(xs, [math.nan if y is None else y for y in ys], marker=marker, color=colour, label=model)
                    if title.startswith("requests"):
                        theory = [cell.predicted_throughput_rps for cell in mine]
                        axes.plot(xs, theory, color=colour, linewidth=1, linestyle=(0, (4, 3)), alpha=0.7)
                axes.set_xscale("log")
                axes.set_xticks(limits, [f"{limit:g}" for limit in limits])
                axes.xaxis.set_minor_locator(LogLocator(subs=()))
                axes.set_ylim(bottom=0)
                axes.grid(visible=True)
                axes.tick_params(length=0)
                axes.set_title(title + (f"  ·  {variant}" if variant else ""), loc="left", fontsize=11, color=INK)
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper right", ncols=len(labels), frameon=False, fontsize=10, labelcolor=INK
        )
        figure.supxlabel(f"CPU limit, {users} users", fontsize=11, color=MUTED)
        return svg(figure, "Throughput, median and throttled time of each model against its CPU limit")


def saturation(analysis: Analysis) -> str:
    """Draw throughput and median against the number of users: marks are measured, lines are theory."""
    cells = [one.cell for one in analysis.cells if one.cell.steady_rps and one.cell.median_ms]
    looks, settings = colours_of(analysis), analysis.experiment.server
    workers = {model.letter: model.workers for model in analysis.run.models}
    most = max(cell.concurrency for cell in cells)
    users = range(1, 2 * most + 1)
    with mpl.rc_context({**STYLE, "ytick.labelcolor": MUTED}):
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for model in dict.fromkeys(cell.model for cell in cells):
            colour, marker = looks[model]
            theory = [closed_loop(c, workers[model], settings.wait_ms / 1000, settings.cpu_ms / 1000) for c in users]
            mine = [cell for cell in cells if cell.model == model]
            marks = {
                "marker": marker,
                "color": colour,
                "linestyle": "none",
                "markersize": 9,
                "markeredgecolor": PAPER,
            }
            left.plot(users, [each.throughput_rps for each in theory], color=colour, linewidth=1.3, alpha=0.7)
            right.plot(users, [each.latency_s * 1000 for each in theory], color=colour, linewidth=1.3, alpha=0.7)
            xs = [cell.concurrency for cell in mine]
            left.plot(xs, [cell.steady_rps or math.nan for cell in mine], label=model, **marks)
            right.plot(xs, [cell.median_ms or math.nan for cell in mine], label=model, **marks)
        for axes, title in ((left, "requests a second"), (right, "median, ms")):
            axes.set_title(title, loc="left", fontsize=11, color=INK)
            axes.set_ylim(bottom=0)
            axes.grid(visible=True)
            axes.tick_params(length=0)
        left.legend(frameon=False, fontsize=10, labelcolor=INK)
        figure.supxlabel("users at once", fontsize=11, color=MUTED)
        return svg(figure, "Throughput and median of each model against the number of users, measured and predicted")
