"""The style of every figure: colours, shapes, fonts, and SVG that takes its text colours from the page."""

import io
from typing import Any

from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart; shapes repeat the distinction.
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
# Placeholders in the drawing, replaced by the page's own colours, light or dark.
INK, MUTED, GRID, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
_PAGE = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)", PAPER: "var(--paper)"}

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


def of_letter(letter: str) -> str:
    """Return a model's colour, which does not depend on the other models of a run."""
    return COLOURS[(ord(letter[:1].upper() or "A") - ord("A")) % len(COLOURS)]


def svg(figure: Figure, description: str, dpi: int = 160) -> str:
    """Return a figure as SVG in the page's own colours; `description` is its alternative text."""
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, dpi=dpi, metadata={"Date": None, "Creator": None})
    drawn = text.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    for stand_in, colour in _PAGE.items():
        drawn = drawn.replace(stand_in, colour)
    drawn = drawn.replace("'DejaVu Sans'", "inherit").replace("DejaVu Sans", "inherit")
    return drawn.replace("<svg", f'<svg role="img" aria-label="{description}"', 1)
