"""Response time against utilisation: measured with intervals, over theory's curves."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iolab.kinds.open.analysis import OpenAnalysis, OpenCell
from iolab.report import drawing
from iolab.theory import queueing

CURVE = np.concatenate([np.linspace(0.05, 0.88, 30), np.linspace(0.89, 0.97, 9)])
CUSTOMERS = 200_000  # for a point of a curve: more would not be visible
LOOKS = {"constant": (drawing.COLOURS[1], "o"), "exponential": (drawing.COLOURS[0], "s")}
ROOM = 1.15


def response_times(analysis: OpenAnalysis) -> str:
    """Draw a panel for each model with a queue; "" if there is none."""
    letters = list(
        dict.fromkeys(
            cell.record.model for cell in analysis.cells if cell.record.utilisation is not None and cell.measured
        )
    )
    if not letters:
        return ""
    with mpl.rc_context({**drawing.STYLE, "ytick.labelcolor": drawing.MUTED}):
        figure = Figure(figsize=(10, 4.4), layout="constrained")
        for axes, letter in zip(figure.subplots(1, len(letters), squeeze=False)[0], letters, strict=True):
            cells = [cell for cell in analysis.cells if cell.record.model == letter and cell.measured]
            _panel(axes, cells)
        figure.supxlabel("utilisation of each worker", fontsize=11, color=drawing.MUTED)
        return drawing.svg(figure, "Mean response time against utilisation, measured and by theory")


def _panel(axes: Axes, cells: list[OpenCell]) -> None:
    first = cells[0]
    workers, service_s = int(first.workers), first.record.calibration.service_s
    rates = CURVE * workers / service_s
    transit_s = first.record.calibration.transit_s
    exponential = [queueing.mmc(rate, service_s, workers).mean_s + transit_s for rate in rates]
    constant = [queueing.mdc(rate, service_s, workers, CUSTOMERS).mean_s + transit_s for rate in rates]
    for name, curve, variant in (("M/M", exponential, "exponential"), ("M/D", constant, "constant")):
        label = f"{name}/{workers}: {variant} service"
        axes.plot(CURVE, np.array(curve) * 1000, color=LOOKS[variant][0], linewidth=1.4, alpha=0.75, label=label)
    top_ms = 0.0
    for cell in cells:
        measured = cell.measured
        if measured is None or cell.record.utilisation is None:
            continue
        colour, marker = LOOKS.get(cell.record.variant, (drawing.COLOURS[2], "^"))
        low, high = measured.mean_ci_s or (measured.mean_s, measured.mean_s)
        top_ms = max(top_ms, high * 1000)
        axes.errorbar(
            cell.record.utilisation,
            measured.mean_s * 1000,
            yerr=[[(measured.mean_s - low) * 1000], [(high - measured.mean_s) * 1000]],
            color=colour,
            marker=marker,
            markersize=8,
            markeredgecolor="white",
            capsize=4,
            linewidth=1.6,
        )
        if cell.same:
            axes.plot(cell.record.utilisation, cell.same.mean_s * 1000, "_", color=drawing.INK, markersize=16)
    axes.plot([], [], "_", color=drawing.INK, markersize=14, label="the same trace, simulated")
    axes.set_xlim(0.2, 1.0)
    axes.set_ylim(0, top_ms * ROOM)
    axes.grid(visible=True)
    axes.tick_params(length=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} ms" if value else "")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_title(f"{first.record.model}  {first.record.service}", loc="left", fontsize=12, color=drawing.INK)
    axes.legend(frameon=False, fontsize=9.5, labelcolor=drawing.INK, loc="upper left")
