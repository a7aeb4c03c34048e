"""Draws the throughput of each strategy compared with theory, and the response times of the bystander meanwhile."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from iolab.kinds.breaking.cells import StrategyResult
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.report import drawing, numbers
from iolab.report.drawing import COLOURS, GRID, INK

KINDS = {"wait": "Waiting", "compute": "Computing"}
HARMED = 10.0  # times the bystander's response time with requests that await
LEAST_MS, MOST_MS = 0.3, 3000.0  # of the bystander's axis, at least


def harmed(result: StrategyResult, healthy: StrategyResult | None) -> bool:
    """Return whether the bystander's response time is much higher than with requests that await."""
    own, baseline = result.bystander_median_ms, healthy.bystander_median_ms if healthy else None
    return bool(own and baseline and own > HARMED * baseline)


def picture(
    results: Sequence[StrategyResult],
    healthy: StrategyResult | None,
    experiment: BreakExperiment,
    narrow: bool,
    *,
    theory: bool = True,
) -> str:
    """Draw a row for each strategy, by kind of work: its rate, and the response times of the bystander.

    With `theory`, a line is the rate that it predicts.
    """
    groups = [(kind, [each for each in results if each.strategy.work == kind]) for kind in KINDS]
    groups = [(kind, group) for kind, group in groups if group]
    most_ms = max([MOST_MS, *(each.bystander_slowest_ms or 0.0 for each in results)])
    lanes = [len(group) + 1.0 for _, group in groups]
    height_in = sum(lanes) * (1.3 if narrow else 0.56)
    with drawing.sheet(narrow, height_in) as figure:
        if narrow:
            grid = figure.subplots(2 * len(groups), 1, height_ratios=[lane for lane in lanes for _ in range(2)])
            grid = grid.reshape(len(groups), 2)
        else:
            grid = figure.subplots(len(groups), 2, squeeze=False, height_ratios=lanes)
        for (rates, bystander), (kind, group) in zip(grid, groups, strict=True):
            length_ms = experiment.server.wait_ms if kind == "wait" else experiment.server.cpu_ms
            rates.set_title(f"{KINDS[kind]}, {numbers.milliseconds(length_ms)} per request")
            rates.set_xlabel("requests/s")
            bystander.set_title("Bystander")
            bystander.set_xlabel("response time (logarithmic)")
            for row, each in enumerate(group):
                colour = COLOURS[0] if harmed(each, healthy) else COLOURS[1]
                _rate(rates, drawing.band(row, narrow), each, colour, theory=theory)
                _bystander(bystander, drawing.band(row, narrow), each, colour)
            names = [each.strategy.name for each in group]
            drawing.rows(rates, names, [numbers.rate(each.rate_rps) for each in group], narrow)
            drawing.log_axis(bystander, "x", drawing.ends(LEAST_MS, most_ms), 5 if narrow else 6, drawing.duration)
            waits = [numbers.milliseconds(each.bystander_median_ms) for each in group]
            drawing.rows(bystander, names if narrow else [""] * len(group), waits, narrow)
        return drawing.svg(
            figure, "Requests a second of each strategy, and the response times of a bystander meanwhile"
        )


def _rate(axes: Axes, place: tuple[float, float], result: StrategyResult, colour: str, *, theory: bool) -> None:
    middle, half = place
    axes.barh(middle, result.rate_rps, height=2 * half, color=colour)
    if theory:
        axes.vlines(result.expected.throughput_rps, middle - 1.3 * half, middle + 1.3 * half, color=INK, linewidth=2)


def _bystander(axes: Axes, place: tuple[float, float], result: StrategyResult, colour: str) -> None:
    middle, half = place
    latencies_ms = [one.latency_s * 1000 for one in result.bystander if one.status == 200 and one.latency_s is not None]
    axes.axhspan(middle - half, middle + half, color=GRID, alpha=0.35, linewidth=0)
    axes.scatter(
        [max(each, LEAST_MS) for each in latencies_ms],
        [middle] * len(latencies_ms),
        s=22,
        color=colour,
        alpha=0.35,
        linewidths=0,
        rasterized=True,
    )
    if median_ms := result.bystander_median_ms:
        axes.vlines(max(median_ms, LEAST_MS), middle - half, middle + half, color=colour, linewidth=3)
