"""Draws the throughput of each way, with the prediction, and the latency of the bystander meanwhile."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from iolab.kinds.breaking.cells import WayResult
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.report import numbers
from iolab.report.drawing import COLOURS, GRID, INK, MUTED, STYLE, svg

KINDS = {"wait": "Waiting", "compute": "Computing"}
HARMED = 10.0  # times the bystander's latency with requests that await
LEAST_MS, MOST_MS = 0.3, 3000.0  # of the bystander's axis, at least
BAR = 0.62  # of a row's height


def harmed(result: WayResult, healthy: WayResult | None) -> bool:
    """Return whether the bystander's latency is much higher than with requests that await."""
    own, baseline = result.bystander_median_ms, healthy.bystander_median_ms if healthy else None
    return bool(own and baseline and own > HARMED * baseline)


def picture(results: Sequence[WayResult], healthy: WayResult | None, experiment: BreakExperiment) -> str:
    """Draw a row for each way, grouped by kind of work: its rate, and the latencies of the bystander."""
    groups = {kind: [each for each in results if each.way.work == kind] for kind in KINDS}
    groups = {kind: group for kind, group in groups.items() if group}
    most_ms = max([MOST_MS, *(each.bystander_slowest_ms or 0.0 for each in results)])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 0.5 + 0.55 * len(groups) + 0.46 * len(results)), layout="constrained")
        grid = figure.subplots(
            len(groups), 2, squeeze=False, height_ratios=[len(group) + 0.6 for group in groups.values()]
        )
        for (rates, bystander), (kind, group) in zip(grid, groups.items(), strict=True):
            length_ms = experiment.server.wait_ms if kind == "wait" else experiment.server.cpu_ms
            title = f"{KINDS[kind]}, {numbers.milliseconds(length_ms)} per request: requests per second"
            rates.set_title(title, loc="left", fontsize=11, color=INK)
            bystander.set_title("latency of the bystander (logarithmic)", loc="left", fontsize=11, color=INK)
            for row, each in enumerate(group):
                colour = COLOURS[0] if harmed(each, healthy) else COLOURS[1]
                _rate(rates, row, each, colour)
                _bystander(bystander, row, each, colour)
            rates.set_yticks(range(len(group)), [each.way.name for each in group])
            bystander.set_yticks([])
            bystander.set_xscale("log")
            bystander.set_xlim(LEAST_MS, most_ms * 1.1)
            bystander.xaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.milliseconds(value)))
            bystander.xaxis.set_minor_formatter(NullFormatter())
            for axes in (rates, bystander):
                axes.set_ylim(len(group) - 0.4, -0.6)
                axes.tick_params(which="both", length=0)
                axes.grid(visible=True, axis="x")
                axes.set_axisbelow(True)
        return svg(figure, "Requests per second of each way, and the latency of a bystander meanwhile")


def _rate(axes: Axes, row: int, result: WayResult, colour: str) -> None:
    axes.barh(row, result.rate_rps, height=BAR, color=colour)
    theory = result.expected.throughput_rps
    axes.vlines(theory, row - BAR / 2 - 0.1, row + BAR / 2 + 0.1, color=INK, linewidth=2)
    text = numbers.rate(result.rate_rps)
    axes.text(1.01, row, text, transform=axes.get_yaxis_transform(), va="center", color=MUTED)


def _bystander(axes: Axes, row: int, result: WayResult, colour: str) -> None:
    latencies_ms = [one.latency_s * 1000 for one in result.bystander if one.status == 200 and one.latency_s is not None]
    axes.axhspan(row - BAR / 2, row + BAR / 2, color=GRID, alpha=0.35, linewidth=0)
    axes.scatter(
        [max(each, LEAST_MS) for each in latencies_ms],
        [row] * len(latencies_ms),
        s=22,
        color=colour,
        alpha=0.35,
        linewidths=0,
        rasterized=True,
    )
    if median_ms := result.bystander_median_ms:
        axes.vlines(max(median_ms, LEAST_MS), row - BAR / 2, row + BAR / 2, color=colour, linewidth=3)
    text = numbers.milliseconds(result.bystander_median_ms)
    axes.text(1.01, row, text, transform=axes.get_yaxis_transform(), va="center", color=MUTED)
