"""Timelines of an exhibition: a lane for each board over a time axis, in SVG with the page's colours."""

from collections.abc import Iterable, Iterator
from html import escape
from textwrap import wrap

from iolab.kinds.chess.plan import Played
from iolab.results.samples import Pair

WIDE, NARROW = 1000.0, 420.0  # units of the drawing
LINE, AXIS = 20.0, 24.0  # height of a line of text above the lanes, and of the axis below them
LETTER = 7.9  # width of a letter
TICKS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)  # s
TICK_ROOM = 135.0  # between two ticks, at least
LABEL_ROOM = 60.0  # a label nearer to the right edge would be cut off
LOOKS = {
    "wait": ("board waits", 'fill="var(--lane)"'),
    "think": ("opponent thinks", 'fill="var(--busy)" fill-opacity="0.45"'),
    "move": ("master moves", 'fill="var(--ink)"'),
}


def timeline(played: Played, boards: int, end_s: float, narrow: bool, *, title: str, lane: float) -> str:
    """Draw the exhibition from its begin to `end_s`, in seconds of the story; a board is `lane` units high, about.

    A server reports how long it served a request. Thinking is drawn at the start of that time and the master's move at
    its end, each as long as the rules say; the time between them is the wait for the master. Lanes are in the order in
    which boards were served first.
    """
    width = NARROW if narrow else WIDE
    texts = wrap(title, int(width / LETTER)) or [""]
    head = LINE * (len(texts) + narrow) + 6
    height = min(max(lane * boards, 10 * lane), 70 * lane)
    lanes = {board: number for number, board in enumerate(_order(played))}
    spans: dict[str, Iterable[tuple[int, float, float]]] = {
        "wait": ((number, 0.0, end_s) for number in range(boards)),
        "think": ((lanes[pair.board], *_thinking(played, pair)) for pair in played.pairs),
        "move": ((lanes[pair.board], *_moving(played, pair)) for pair in played.pairs),
    }
    paths = "".join(
        f'<path class="{name}" {LOOKS[name][1]} d="{_boxes(_clipped(each, end_s, width), height / boards, head)}"/>'
        for name, each in spans.items()
    )
    lines = "".join(
        f'<text y="{15 + LINE * at:g}" fill="var(--ink)">{escape(each)}</text>' for at, each in enumerate(texts)
    )
    legend = _legend(0.0, LINE * len(texts)) if narrow else _legend(width - 476, 0.0)
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width:g} {head + height + AXIS:g}" font-size="15">'
        f'{lines}{"".join(legend)}{paths}<g fill="var(--muted)">{"".join(_axis(end_s, width, head + height))}</g></svg>'
    )


def _order(played: Played) -> list[int]:
    first = sorted((pair for pair in played.pairs if pair.move == 0), key=lambda pair: pair.end_s)
    return [pair.board for pair in first]


def _thinking(played: Played, pair: Pair) -> tuple[float, float]:
    begin_s = played.game_s(pair.end_s - pair.service_s - played.begin_s)
    return begin_s, begin_s + played.rules.opponent_s


def _moving(played: Played, pair: Pair) -> tuple[float, float]:
    end_s = played.game_s(pair.end_s - played.begin_s)
    return end_s - played.rules.master_s, end_s


def _clipped(
    spans: Iterable[tuple[int, float, float]], end_s: float, width: float
) -> Iterator[tuple[int, float, float]]:
    """Yield the spans that begin before `end_s`, in units of the drawing."""
    for lane, begin, end in spans:
        if begin < end_s:
            yield lane, max(0.0, begin) / end_s * width, min(end, end_s) / end_s * width


def _boxes(spans: Iterable[tuple[int, float, float]], lane: float, head: float) -> str:
    """Return one path of many boxes: an element for each of thousands would make a page slow."""
    gap = lane / 4
    return "".join(
        f"M{left:.2f} {head + number * lane + gap / 2:g}h{right - left:.2f}v{lane - gap:g}H{left:.2f}z"
        for number, left, right in spans
    )


def _legend(left: float, top: float) -> Iterator[str]:
    """Yield what the colours mean, in one line."""
    for meaning, look in LOOKS.values():
        yield f'<path {look} d="M{left:g} {top + 4:g}h20v11h-20z"/>'
        yield f'<text x="{left + 26:g}" y="{top + 15:g}" fill="var(--muted)">{meaning}</text>'
        left += 42 + LETTER * len(meaning)


def _axis(end_s: float, width: float, top: float) -> Iterator[str]:
    step = next((each for each in TICKS if end_s / each <= width / TICK_ROOM), TICKS[-1])
    for number in range(int(end_s / step + 1e-9) + 1):
        left = 0.5 + number * step / end_s * (width - 1)
        yield f'<path stroke="var(--muted)" d="M{left:.2f} {top:g}v18"/>'
        if left < width - LABEL_ROOM:
            yield f'<text x="{left + 6:.2f}" y="{top + 17:g}">{clock(number * step)}</text>'


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
