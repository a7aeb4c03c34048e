"""Memory and threads against users, with a cross where a model breaks; of one number of users, bars."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.cells import CrowdCell
from iolab.kinds.crowd.records import CrowdRecord
from iolab.kinds.crowd.sentences import broken
from iolab.kinds.crowd.words import label
from iolab.report import drawing, numbers

MIB = 2**20
STYLES = {"websocket": "-", "poll": (0, (5, 2)), "lean": ":", "compressed": "-."}
APART = 1.15  # times the number of users: marks of one number are drawn beside each other
ROOM = 2.0  # beside the least and the most users
FEW_DECADES = 10  # of a linear axis, at most, between the least and the largest value
LINE_IN = 0.24  # between the labels of two lines
NEEDS = "What the server has while all users are connected and none clicks."
CROSS = "A cross: not all users were held there."
APART_IS = "Marks of one number of users stand side by side."

Lines = Sequence[Sequence[CrowdCell]]


class Panel(NamedTuple):
    """What a panel shows: its title, its unit, a cell's value, and that value as a text."""

    title: str
    unit: str
    value: Callable[[CrowdCell], float | None]
    text: Callable[[float], str]


def _memory(cell: CrowdCell) -> float | None:
    rss = cell.record.quiet.rss_bytes
    return None if rss is None else rss / MIB


def _threads(cell: CrowdCell) -> float | None:
    return cell.record.quiet.threads


PANELS = (
    Panel("Server's memory", "MiB", _memory, lambda value: numbers.memory(value * MIB)),
    Panel("Server's threads", "threads", _threads, numbers.count),
)


def lines(analysis: CrowdAnalysis) -> list[list[CrowdCell]]:
    """Return the lines that can be drawn: the cells that count, where one of them tells memory or threads."""
    counted = [[cell for cell in line if cell.counts] for line in analysis.lines]
    return [line for line in counted if any(_memory(cell) or _threads(cell) for cell in line)]


def caption(analysis: CrowdAnalysis, *, why: bool = True) -> str:
    """Say what is drawn, and of each cross what it stands for, with the reason or without."""
    told = lines(analysis)
    walls = [f"{label(line[0], analysis)} {_wall(wall, why=why)}" for line in told if (wall := broken(line))]
    several = len(_numbers(told)) > 1
    parts = [NEEDS, CROSS if walls else "", APART_IS if several and len(told) > 1 else ""]
    return " ".join(filter(None, [*parts, "; ".join(walls) + "." if walls else ""]))


def needs(analysis: CrowdAnalysis, narrow: bool) -> str:
    """Draw a panel of memory and one of threads."""
    told = lines(analysis)
    names = [label(line[0], analysis) for line in told]
    one = len(_numbers(told)) == 1
    panel_in = 0.9 + (0.62 if narrow else 0.45) * len(told) if one else max(3.6, 0.8 + LINE_IN * len(told))
    with drawing.sheet(narrow, panel_in * (2 if narrow else 1)) as figure:
        panels = figure.subplots(*((2, 1) if narrow else (1, 2)))
        for axes, panel in zip(panels, PANELS, strict=True):
            if one:
                _bars(axes, told, names, panel, narrow)
            else:
                _curves(axes, told, names, panel, LINE_IN / (panel_in - 0.8))
            axes.set_title(panel.title)
        if not one:
            figure.supxlabel("users (logarithmic)", fontsize=drawing.TEXT, color=drawing.MUTED)
        return drawing.svg(figure, "Server's memory and threads against users, for each model")


def _numbers(lines: Lines) -> list[int]:
    return sorted({cell.record.users for line in lines for cell in line})


def _bars(axes: Axes, lines: Lines, names: Sequence[str], panel: Panel, narrow: bool) -> None:
    """Draw a bar for each server at its only number of users."""
    values = [panel.value(line[0]) for line in lines]
    for row, (line, value) in enumerate(zip(lines, values, strict=True)):
        middle, half = drawing.band(row, narrow)
        colour = drawing.of_letter(line[0].record.model)
        axes.barh(middle, value or 0.0, height=2 * half, color=colour)
        if broken(line):
            axes.plot(value or 0.0, middle, marker="x", markersize=11, markeredgewidth=2.6, color=drawing.INK)
    texts = [numbers.NOT_KNOWN if value is None else panel.text(value) for value in values]
    drawing.rows(axes, names, texts, narrow)
    axes.set_xlim(0, 1.05 * max([1.0, *(value or 0.0 for value in values)]))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(lambda each, _: f"{each:,g}")
    axes.set_xlabel(f"{panel.unit}; {numbers.users(_numbers(lines)[0])}")


def _curves(axes: Axes, lines: Lines, names: Sequence[str], panel: Panel, gap: float) -> None:
    """Draw a line for each server over its numbers of users, with its name at the end of it."""
    at_the_end: list[tuple[str, float, dict[str, Any]]] = []
    for number, (line, name) in enumerate(zip(lines, names, strict=True)):
        shift = APART ** drawing.beside(number, len(lines), 1)
        known = [(cell.record.users * shift, each, cell) for cell in line if (each := panel.value(cell))]
        colour = drawing.of_letter(line[0].record.model)
        look: dict[str, Any] = {"color": colour, "marker": drawing.MARKERS[number % len(drawing.MARKERS)]}
        xs, ys = [users for users, _, _ in known], [each for _, each, _ in known]
        axes.plot(xs, ys, color=colour, linestyle=_style(line[0].record), linewidth=1.2, alpha=0.6)
        axes.plot(xs, ys, linestyle="none", markersize=7, markeredgecolor=drawing.PAPER, **look)
        at_the_end += [(name, ys[-1], look)] if known else []
        wall = broken(line)
        for users, each, cell in known:
            if cell is wall:
                axes.plot(users, each, marker="x", markersize=15, markeredgewidth=2.6, color=colour, zorder=5)
    counts = _numbers(lines)
    drawing.log_axis(axes, "x", (counts[0] / ROOM, counts[-1] * ROOM), 5, "{:,.0f}".format)
    axes.set_xticks(_apart(counts), [f"{count:,}" for count in _apart(counts)])
    _heights(axes, [each for line in lines for cell in line if (each := panel.value(cell))], panel.unit)
    scale = axes.transAxes.inverted().transform
    places = [float(scale(axes.transData.transform((counts[0], each)))[1]) for _, each, _ in at_the_end]
    for (name, _, look), height in zip(at_the_end, drawing.spread(places, gap), strict=True):
        axes.plot(1.03, height, transform=axes.transAxes, clip_on=False, markersize=7, **look)
        axes.text(1.07, height, name, transform=axes.transAxes, va="center")


def _style(record: CrowdRecord) -> Any:
    return STYLES[record.transport if record.form == "usual" else record.form]


def _heights(axes: Axes, values: Sequence[float], unit: str) -> None:
    """Set the axis of values: a logarithmic one where they differ tenfold; with less, that has too few labels."""
    if values and max(values) >= FEW_DECADES * min(values):
        drawing.log_axis(axes, "y", drawing.ends(min(values), max(values)), 7, "{:,g}".format)
        axes.set_ylabel(f"{unit} (logarithmic)")
        return
    axes.set_ylabel(unit)
    axes.set_ylim(0, 1.15 * max(values, default=1.0))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(lambda each, _: f"{each:,g}")


def _apart(counts: Sequence[int]) -> list[int]:
    """Return the counts, without those that have no room for a label beside the one before."""
    shown: list[int] = []
    for count in counts:
        if not shown or count > ROOM * shown[-1]:
            shown.append(count)
    return shown


def _wall(wall: CrowdCell, *, why: bool) -> str:
    reason = wall.record.obstacle or ("the others were served late" if wall.record.late else "nothing says why")
    held = f"at {wall.record.users:,}: holds {wall.record.held:,}"
    return f"{held} ({reason})" if why else held
