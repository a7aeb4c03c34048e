"""Timelines of an exhibition: a lane a board, in SVG that stretches to its place and takes the page's colours."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from iolab.kinds.chess.plan import Played
from iolab.results.records import Pair

WIDTH = 1000.0  # units; the page stretches them
LANE, GAP = 10.0, 2.5
TICKS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)  # s
MOST_TICKS = 7


@dataclass(frozen=True)
class Timeline:
    """A drawing of the time from the begin to `end_s`, and its ticks: where (in % of the width) and what they say."""

    svg: Markup
    end_s: float
    ticks: tuple[tuple[float, str], ...]


def timeline(played: Played, boards: int, end_s: float, description: str) -> Timeline:
    """Draw the exhibition from its begin to `end_s`, in seconds of the story.

    A server tells how long it served a request. Thinking is drawn as the begin of that time and the master's move as
    its end, each as long as it is by the rules; what lies between them is the wait for her. Lanes are in the order in
    which boards were served first.
    """
    height = boards * LANE
    lanes = {board: lane for lane, board in enumerate(_order(played))}
    paths = {
        "lane": _boxes((lane, 0.0, WIDTH) for lane in range(boards)),
        "think": _boxes(_clipped(((lanes[pair.board], *_thinking(played, pair)) for pair in played.pairs), end_s)),
        "move": _boxes(_clipped(((lanes[pair.board], *_moving(played, pair)) for pair in played.pairs), end_s)),
    }
    drawn = "".join(f'<path class="{name}" d="{path}"/>' for name, path in paths.items())
    # All that is not made of numbers here is escaped.
    svg = Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">').format(
        description, f"{WIDTH:g}", f"{height:g}"
    ) + Markup(f"{drawn}</svg>")  # noqa: S704
    return Timeline(svg, end_s, tuple(_ticks(end_s)))


def _order(played: Played) -> list[int]:
    first = sorted((pair for pair in played.pairs if pair.move == 0), key=lambda pair: pair.end_s)
    return [pair.board for pair in first]


def _thinking(played: Played, pair: Pair) -> tuple[float, float]:
    begin_s = played.story_s(pair.end_s - pair.service_s - played.begin_s)
    return begin_s, begin_s + played.rules.opponent_s


def _moving(played: Played, pair: Pair) -> tuple[float, float]:
    end_s = played.story_s(pair.end_s - played.begin_s)
    return end_s - played.rules.master_s, end_s


def _clipped(spans: Iterable[tuple[int, float, float]], end_s: float) -> Iterator[tuple[int, float, float]]:
    """Yield the spans that begin before `end_s`, in units of the drawing."""
    for lane, begin, end in spans:
        if begin < end_s:
            yield lane, max(0.0, begin) / end_s * WIDTH, min(end, end_s) / end_s * WIDTH


def _boxes(spans: Iterable[tuple[int, float, float]]) -> str:
    """Return one path of many boxes: an element for each of thousands would make a page slow."""
    high = LANE - GAP
    return "".join(
        f"M{left:.2f} {board * LANE + GAP / 2:g}h{right - left:.2f}v{high:g}H{left:.2f}z"
        for board, left, right in spans
    )


def _ticks(end_s: float) -> Iterator[tuple[float, str]]:
    step = next((each for each in TICKS if end_s / each <= MOST_TICKS), TICKS[-1])
    for number in range(int(end_s / step + 1e-9) + 1):
        yield 100 * number * step / end_s, clock(number * step)


def clock(seconds: float) -> str:
    """Return a time span in few words: 12 h 8 min, 5 min, 40 s."""
    whole = round(seconds)
    if whole < 120 and whole % 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes >= 60 or not rest:
        minutes = round(seconds / 60)
        hours, minutes = divmod(minutes, 60)
        return " ".join(filter(None, [f"{hours} h" * bool(hours), f"{minutes} min" * bool(minutes)])) or "0"
    return f"{minutes} min {rest} s"
