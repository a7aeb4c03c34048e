"""Memory and threads against users, on logarithmic axes, with a cross where a model breaks."""

from collections.abc import Callable, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.cells import CrowdCell
from iolab.kinds.crowd.sentences import broken
from iolab.kinds.crowd.words import label
from iolab.report import drawing

MIB = 2**20
STYLES = {"websocket": "-", "poll": (0, (5, 2))}
APART = 0.09  # of a number of users, by which lines that would hide each other are shifted

ROOM = 2.0  # beside the least and the most users: a single level is a group of marks, not a wide field of them
FEW_DECADES = 1000  # below that ratio powers of ten alone are too few labels


def lines(analysis: CrowdAnalysis) -> list[list[CrowdCell]]:
    """Return the lines that can be drawn: levels that count, if memory or threads are known for one of them."""
    counted = [[cell for cell in line if cell.counts] for line in analysis.lines]
    return [line for line in counted if any(_memory(cell) or _threads(cell) for cell in line)]


def needs(analysis: CrowdAnalysis) -> str:
    """Draw both panels."""
    drawn = lines(analysis)
    with mpl.rc_context({**drawing.STYLE, "ytick.labelcolor": drawing.MUTED}):
        figure = Figure(figsize=(10, 4.9), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, value, title in zip(
            panels, (_memory, _threads), ("Memory of the server (MiB)", "Threads of the server"), strict=True
        ):
            _panel(axes, drawn, value, title)
        handles, texts = panels[0].get_legend_handles_labels()
        labels = [f"{label(line[0], analysis)}{_why(line)}" for line in drawn]
        figure.legend(
            handles[: len(texts)], labels, loc="outside lower left", frameon=False, fontsize=10, labelcolor=drawing.INK,
            ncols=2, handlelength=3.4,
        )  # fmt: skip
        return drawing.svg(figure, "Memory and threads of the server against users, for each model")


def _panel(
    axes: Axes, lines: Sequence[Sequence[CrowdCell]], value: Callable[[CrowdCell], float | None], title: str
) -> None:
    for number, line in enumerate(lines):
        shift = 1 + APART * (number - (len(lines) - 1) / 2)
        known = [(cell.record.users * shift, each, cell) for cell in line if (each := value(cell))]
        colour = drawing.of_letter(line[0].record.model)
        marker = drawing.MARKERS[number % len(drawing.MARKERS)]
        axes.plot(
            [users for users, _, _ in known], [each for _, each, _ in known], color=colour, marker=marker,
            linestyle=STYLES[line[0].record.transport], linewidth=1.8, markersize=7, markeredgecolor=drawing.PAPER,
            label=str(number),
        )  # fmt: skip
        wall = broken(line)
        for users, each, cell in known:
            if cell is wall:
                axes.plot(users, each, marker="x", markersize=15, markeredgewidth=2.6, color=colour, zorder=5)
    values = [each for line in lines for cell in line if (each := value(cell))]
    decades = bool(values) and max(values) >= 10 * min(values)  # with less, a logarithmic axis has no label
    axes.set_xscale("log")
    axes.set_yscale("log" if decades else "linear")
    levels = sorted({cell.record.users for line in lines for cell in line})
    axes.set_xlim(levels[0] / ROOM, levels[-1] * ROOM)
    axes.set_xticks(_apart(levels))
    axes.margins(y=0.12)
    axes.grid(visible=True)
    axes.tick_params(length=0, which="both")
    axes.xaxis.set_major_formatter(lambda users, _: f"{users:,.0f}")
    axes.yaxis.set_major_formatter(lambda each, _: f"{each:,g}")
    axes.xaxis.set_minor_formatter("")
    if decades:
        few = max(values) < FEW_DECADES * min(values)
        axes.yaxis.set_minor_formatter(lambda each, _: f"{each:,g}" if few and f"{each:g}"[0] in "25" else "")
    else:
        axes.set_ylim(0, 1.15 * max(values, default=1.0))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(title, loc="left", fontsize=12, color=drawing.INK)
    axes.set_xlabel("users")


def _apart(levels: Sequence[int]) -> list[int]:
    """Return the levels without those whose labels would be too close to the one before."""
    shown: list[int] = []
    for level in levels:
        if not shown or level > ROOM * shown[-1]:
            shown.append(level)
    return shown


def _memory(cell: CrowdCell) -> float | None:
    rss = cell.record.quiet.rss_bytes
    return None if rss is None else rss / MIB


def _threads(cell: CrowdCell) -> float | None:
    return cell.record.quiet.threads


def _why(line: Sequence[CrowdCell]) -> str:
    wall = broken(line)
    if wall is None:
        return ""
    why = wall.record.obstacle or ("the others were served late" if wall.record.late else "no known reason")
    return f"  ✕ at {wall.record.users:,}: holds {wall.record.held:,} ({why})"
