"""A seat for each user that came: it shows how many were served. SVG in the page's own colours."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.cells import CrowdCell
from iolab.kinds.crowd.words import name

ROW, MOST = 40, 1000  # seats
PITCH, SEAT = 6, 5
# By outcome: its meaning, its word in a caption, and what its seat is drawn of, layers of (class, width) one upon the
# other; seats differ in shape as well as in colour.
LOOKS = {
    "held": ("served in time", "served in time", (("held", 5.0),)),
    "late": ("served late", "served late", (("late", 5.0), ("paper", 2.0))),
    "lost": ("held, and then cut off", "cut off", (("lost", 5.0), ("paper", 3.4), ("lost", 1.6))),
    "waiting": ("connected, and nobody comes", "waiting", (("waiting", 5.0), ("paper", 3.6))),
    "refused": ("no connection", "refused", (("refused", 2.6),)),
}


@dataclass(frozen=True)
class Hall:
    """The seats of one level: their drawing, how many users a square stands for, and a caption."""

    drawing: Markup
    users: int
    per_seat: int
    caption: str


def halls(analysis: CrowdAnalysis) -> list[tuple[str, list[Hall]]]:
    """Return the halls of each model and transport, by rising users, under its name."""
    found = [(line[0], [_hall(cell) for cell in line if cell.counts]) for line in analysis.lines]
    return [(name(first, analysis), drawn) for first, drawn in found if drawn]


def legend(analysis: CrowdAnalysis) -> list[tuple[Markup, str]]:
    """Return a seat and its meaning, for every outcome that there is."""
    there = [key for key in LOOKS if any(cell.counts and getattr(cell.record, key) for cell in analysis.cells)]
    return [(_svg(1, "".join(_region(key, 0, 1)), LOOKS[key][0], across=1), LOOKS[key][0]) for key in there]


def seats(counts: dict[str, int], per_seat: int) -> dict[str, int]:
    """Return how many seats show each outcome: as many as stand for it, rounded up, and so never none of some.

    The largest share gives up what the others were rounded up by.
    """
    total = -(-sum(counts.values()) // per_seat)
    shown = {key: -(-count // per_seat) for key, count in counts.items()}
    largest = max(shown, key=lambda key: shown[key], default=None)
    if largest is not None:
        shown[largest] = max(shown[largest] - (sum(shown.values()) - total), 1)
    return shown


def _hall(cell: CrowdCell) -> Hall:
    record = cell.record
    counts = {key: number for key in LOOKS if (number := getattr(record, key))}
    per_seat = max(1, -(-record.users // MOST))
    shown = seats(counts, per_seat)
    bounds = [0]
    for number in shown.values():
        bounds.append(bounds[-1] + number)
    paths = "".join(
        "".join(_region(key, first, last)) for key, (first, last) in zip(shown, pairwise(bounds), strict=True)
    )
    caption = ", ".join(f"{number:,} {LOOKS[key][1]}" for key, number in counts.items())
    return Hall(_svg(bounds[-1], paths, f"{record.users:,} users: {caption}"), record.users, per_seat, caption)


def _region(outcome: str, first: int, last: int) -> Iterator[str]:
    """Yield the layers of the seats from `first` up to `last`: each row is a dashed line, and a seat a dash of it."""
    for style, width in LOOKS[outcome][2]:
        inset = (SEAT - width) / 2
        lines = []
        for row in range(first // ROW, (last - 1) // ROW + 1):
            left, right = max(first - row * ROW, 0), min(last - row * ROW, ROW)
            lines.append(
                f"M{left * PITCH + inset:g} {row * PITCH + SEAT / 2:g}H{right * PITCH - PITCH + SEAT - inset:g}"
            )
        yield (
            f'<path class="seat-{style}" d="{"".join(lines)}" stroke-width="{width:g}"'
            f' stroke-dasharray="{width:g} {PITCH - width:g}"/>'
        )


def _svg(number: int, paths: str, description: str, across: int = ROW) -> Markup:
    width, height = across * PITCH - (PITCH - SEAT), -(-max(number, 1) // across) * PITCH - (PITCH - SEAT)
    return Markup(  # noqa: S704 (numbers and our own words)
        f'<svg role="img" aria-label="{description}" viewBox="0 0 {width} {height}">{paths}</svg>'
    )
