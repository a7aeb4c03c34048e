"""How every figure looks: its two widths, colours, shapes, type, axes and direct labels; SVG in the page's colours."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

WIDE_IN, NARROW_IN = 10.0, 4.2
TEXT = 11  # points: at least 12 px in both forms, wherever the page shows them
# Okabe and Ito's colours, which colour-blind readers tell apart, and five more; shapes say the same again.
COLOURS = (
    *("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#7b5fd3", "#a0522d", "#8a8d00", "#33475b", "#7f7f7f"),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h")
LETTERS = "ABCDEFGHJKY"  # of the models, each with a colour and a shape of its own
# Placeholders in the drawing, replaced by the page's own colours, light or dark.
INK, MUTED, GRID, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
_PAGE = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)", PAPER: "var(--paper)"}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a $ in a name is a $
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "text.color": INK,
    "axes.axisbelow": True,
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": TEXT,
    "axes.titley": 1.0,  # no figure has ticks above its axes: they are in no title's way
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
}


@contextmanager
def sheet(narrow: bool, height_in: float) -> Iterator[Figure]:
    """Make an empty figure of one of the two widths; it must be drawn and saved (`svg`) within."""
    # The salt makes names: the same run gives the same bytes, and the two forms on a page share no name.
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"iolab {'narrow' if narrow else 'wide'}"}):
        yield Figure(figsize=(NARROW_IN if narrow else WIDE_IN, height_in), layout="constrained")


def of_letter(letter: str) -> str:
    """Return a model's colour, which does not depend on the other models of a run."""
    return COLOURS[_place(letter)]


def shape_of(letter: str) -> str:
    """Return a model's marker, which does not depend on the other models of a run."""
    return MARKERS[_place(letter)]


def _place(letter: str) -> int:
    first = letter[:1].upper() or "A"
    return LETTERS.index(first) if first in LETTERS else ord(first) % len(COLOURS)


def beside(number: int, of: int, step: float) -> float:
    """Return how far mark `number` of `of` stands from their common place, so that none hides another."""
    return (number - (of - 1) / 2) * step


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Return places in the same order, at least `gap` apart and at most 1, near to the given ones."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    found, low = [0.0] * len(places), -gap
    for number in order:
        low = found[number] = max(places[number], low + gap)
    high = 1.0 + gap
    for number in reversed(order):
        high = found[number] = min(found[number], high - gap)
    return found


def ends(least: float, most: float) -> tuple[float, float]:
    """Return ends of a logarithmic axis, on steps of 1, 2, 5, that leave room beside both values."""
    steps = [step * 10.0**power for power in range(-6, 10) for step in (1, 2, 5)]
    low = max((each for each in steps if each <= least * 0.95), default=steps[0])
    return low, min((each for each in steps if each >= most * 1.05), default=steps[-1])


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return the ticks of a logarithmic axis: 1, 2, 5 times each power of ten, or as many of the powers as fit."""
    powers = [10.0**power for power in range(-6, 10) if low * 0.999 <= 10.0**power <= high * 1.001]
    ticks = [step * power for power in (10.0**power for power in range(-6, 10)) for step in (1, 2, 5)]
    ticks = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return ticks if len(ticks) <= most else powers[:: -(-len(powers) // max(most, 1))]


def log_axis(axes: Axes, which: str, limits: tuple[float, float], most: int, text: Callable[[float], str]) -> None:
    """Make axis "x" or "y" logarithmic, with the labels of at most about `most` ticks."""
    axes.set(**{f"{which}scale": "log", f"{which}lim": limits})
    axis = axes.xaxis if which == "x" else axes.yaxis
    ticks = log_ticks(*limits, most)
    axis.set_ticks(ticks, [text(tick) for tick in ticks])
    axis.set_minor_locator(NullLocator())


def duration(value_ms: float) -> str:
    """Return the label of a tick of a time axis."""
    return f"{value_ms / 1000:g} s" if value_ms >= 1000 else f"{value_ms:g} ms"


def band(row: int, narrow: bool) -> tuple[float, float]:
    """Return the middle of what is drawn in a row, and half its height."""
    return (row + 0.2, 0.2) if narrow else (row, 0.3)


def rows(axes: Axes, names: Sequence[str], values: Sequence[str], narrow: bool) -> None:
    """Name each row, and say its value: left and right of the axes, or above the row where the figure is narrow."""
    place = axes.get_yaxis_transform()
    axes.set_ylim(len(names) - 0.45, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(range(len(names)), [""] * len(names) if narrow else names)
    for label in axes.get_yticklabels():
        label.set_color(INK)
    for row, (name, value) in enumerate(zip(names, values, strict=True)):
        if narrow:
            axes.text(0, row - 0.06, name, transform=place, va="bottom")
            axes.text(1, row - 0.06, value, transform=place, va="bottom", ha="right", weight="bold")
        else:
            axes.text(1.01, row, value, transform=place, va="center", weight="bold")


def svg(figure: Figure, description: str, dpi: int = 160) -> str:
    """Return a figure as SVG in the page's own colours; `description` is for readers that cannot see it."""
    text = io.StringIO()
    _lay_out(figure)
    figure.savefig(text, format="svg", transparent=True, dpi=dpi, metadata={"Date": None, "Creator": None})
    drawn = text.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r' id="[\w.]*[a-z]_\d+"', "", drawn)  # the names of groups, which nothing refers to
    for stand_in, colour in _PAGE.items():
        drawn = drawn.replace(stand_in, colour)
    drawn = drawn.replace("'DejaVu Sans'", "inherit").replace("DejaVu Sans", "inherit")
    return drawn.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)


def _lay_out(figure: Figure) -> None:
    """Find the places of everything in a figure, without drawing it; savefig would draw it once for that alone."""
    FigureCanvasSVG(figure)  # texts are measured in the sizes that they have in the file
    engine = figure.get_layout_engine()
    if engine and figure.axes:
        engine.execute(figure)
    figure.set_layout_engine(None)
