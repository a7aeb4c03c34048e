"""A seat for each user: it shows how many were served. SVG in the page's own colours."""

from collections.abc import Iterator, Mapping
from html import escape
from itertools import pairwise
from typing import NamedTuple

from iolab.chat.entries import Outcome
from iolab.kinds.crowd.analysis import CrowdAnalysis
from iolab.kinds.crowd.cells import CrowdCell
from iolab.kinds.crowd.words import name
from iolab.report import numbers
from iolab.report.document import Gallery, Picture

ROW, MOST = 40, 1000  # seats
PITCH, SEAT = 6, 5


class Look(NamedTuple):
    """An outcome's meaning in the legend, its word in a caption, and the layers of its seat: (colour, width)."""

    meaning: str
    word: str
    layers: tuple[tuple[str, float], ...]


# Seats differ in shape as well as in colour.
LOOKS: Mapping[Outcome, Look] = {
    "held": Look("served in time", "served in time", (("good", 5.0),)),
    "late": Look("served late", "served late", (("late", 5.0), ("paper", 2.0))),
    "lost": Look("held, then disconnected", "disconnected", (("lost", 5.0), ("paper", 3.4), ("lost", 1.6))),
    "waiting": Look("connected, never served", "waiting", (("idle", 5.0), ("paper", 3.6))),
    "refused": Look("no connection", "refused", (("bad", 2.6),)),
}


def galleries(analysis: CrowdAnalysis) -> list[Gallery]:
    """Return a picture of each cell, in a gallery for each server; in one gallery where no server has several cells."""
    lines = [[cell for cell in line if cell.counts] for line in analysis.lines]
    lines = [line for line in lines if line]
    if not lines:
        return []
    several = any(len(line) > 1 for line in lines)
    found = [
        ([_picture(cell, name(cell, analysis), several=several) for cell in line], name(line[0], analysis))
        for line in lines
    ]
    if not several:
        found = [([picture for pictures, _ in found for picture in pictures], "")]
    how = f"Seats are ordered by the outcome of their users, {ROW} in a row."
    if any(cell.record.users > MOST for line in lines for cell in line):
        how += (
            f" Where there are more than {MOST:,} users, a seat stands for several, as its caption says; an outcome"
            " that only few users had still has one seat."
        )
    return [
        Gallery(pictures, title, () if number else _legend(analysis), note=how if number + 1 == len(found) else "")
        for number, (pictures, title) in enumerate(found)
    ]


def _legend(analysis: CrowdAnalysis) -> list[tuple[str, str]]:
    """Return a seat and its meaning, for every outcome that occurs."""
    present = [key for key in LOOKS if any(cell.counts and getattr(cell.record, key) for cell in analysis.cells)]
    return [(_svg(1, "".join(_region(key, 0, 1)), LOOKS[key].meaning, across=1), LOOKS[key].meaning) for key in present]


def seats(counts: Mapping[Outcome, int], per_seat: int) -> dict[Outcome, int]:
    """Return how many seats show each outcome: rounded up, so that every outcome has at least one.

    The largest outcome gets fewer seats by as many as the others were rounded up.
    """
    total = -(-sum(counts.values()) // per_seat)
    shown = {key: -(-count // per_seat) for key, count in counts.items()}
    largest = max(shown, key=lambda key: shown[key], default=None)
    if largest is not None:
        shown[largest] = max(shown[largest] - (sum(shown.values()) - total), 1)
    return shown


def _picture(cell: CrowdCell, server: str, *, several: bool) -> Picture:
    """Return the seats of one cell, titled by its users if there are several cells, else by its server."""
    users = numbers.users(cell.record.users)
    counts = {key: number for key in LOOKS if (number := getattr(cell.record, key))}
    per_seat = max(1, -(-cell.record.users // MOST))
    caption = ", ".join(f"{number:,} {LOOKS[key].word}" for key, number in counts.items())

    def draw() -> str:
        shown = seats(counts, per_seat)
        bounds = [0]
        for number in shown.values():
            bounds.append(bounds[-1] + number)
        regions = zip(shown, pairwise(bounds), strict=True)
        paths = "".join("".join(_region(key, first, last)) for key, (first, last) in regions)
        return _svg(bounds[-1], paths, f"{users}: {caption}")

    notes = [] if several else [users]
    notes += [f"a seat is {per_seat} users"] if per_seat > 1 else []
    return Picture(draw, users if several else server, ": ".join([*filter(None, [", ".join(notes)]), caption]))


def _region(outcome: Outcome, first: int, last: int) -> Iterator[str]:
    """Yield the layers of the seats from `first` up to `last`: each row is a dashed line, and a seat a dash of it."""
    for colour, width in LOOKS[outcome].layers:
        inset = (SEAT - width) / 2
        lines = []
        for row in range(first // ROW, (last - 1) // ROW + 1):
            left, right = max(first - row * ROW, 0), min(last - row * ROW, ROW)
            lines.append(
                f"M{left * PITCH + inset:g} {row * PITCH + SEAT / 2:g}H{right * PITCH - PITCH + SEAT - inset:g}"
            )
        yield (
            f'<path style="fill:none;stroke:var(--{colour})" d="{"".join(lines)}" stroke-width="{width:g}"'
            f' stroke-dasharray="{width:g} {PITCH - width:g}"/>'
        )


def _svg(number: int, paths: str, description: str, across: int = ROW) -> str:
    width, height = across * PITCH - (PITCH - SEAT), -(-max(number, 1) // across) * PITCH - (PITCH - SEAT)
    return f'<svg role="img" aria-label="{escape(description)}" viewBox="0 0 {width} {height}">{paths}</svg>'
