"""Timelines of an exhibition: a lane for each board over a time axis, in SVG with the page's colours."""

from collections.abc import Iterable, Iterator
from html import escape

from iolab.kinds.chess.plan import Played
from iolab.results.records import Pair

WIDTH = 1000.0  # units of the drawing
HEAD, AXIS = 26.0, 24.0  # heights above and below the lanes
TICKS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)  # s
MOST_TICKS = 7
LAST_LABEL = 0.95  # of the width: a label further right would be cut off
LOOKS = {
    "wait": ("board waits", 'fill="var(--lane)"'),
    "think": ("opponent thinks", 'fill="var(--busy)" fill-opacity="0.45"'),
    "move": ("master moves", 'fill="var(--ink)"'),
}


def timeline(played: Played, boards: int, end_s: float, title: str, lane: float) -> str:
    """Draw the exhibition from its start to `end_s`, in seconds of the game; a board is about `lane` units high.

    A server reports how long it served a request. Thinking is drawn at the start of that time and the master's move at
    its end, each as long as the rules say; the time between them is the wait for the master. Lanes are in the order in
    which boards were served first.
    """
    height = min(max(lane * boards, 10 * lane), 70 * lane)
    lanes = {board: number for number, board in enumerate(_order(played))}
    spans: dict[str, Iterable[tuple[int, float, float]]] = {
        "wait": ((number, 0.0, end_s) for number in range(boards)),
        "think": ((lanes[pair.board], *_thinking(played, pair)) for pair in played.pairs),
        "move": ((lanes[pair.board], *_moving(played, pair)) for pair in played.pairs),
    }
    paths = "".join(
        f'<path class="{name}" {LOOKS[name][1]} d="{_boxes(_clipped(each, end_s), height / boards)}"/>'
        for name, each in spans.items()
    )
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {WIDTH:g} {HEAD + height + AXIS:g}" font-size="15">'
        f'<text y="15" fill="var(--ink)">{escape(title)}</text>{"".join(_legend())}{paths}'
        f'<g fill="var(--muted)">{"".join(_axis(end_s, HEAD + height))}</g></svg>'
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


def _clipped(spans: Iterable[tuple[int, float, float]], end_s: float) -> Iterator[tuple[int, float, float]]:
    """Yield the spans that begin before `end_s`, in units of the drawing."""
    for lane, begin, end in spans:
        if begin < end_s:
            yield lane, max(0.0, begin) / end_s * WIDTH, min(end, end_s) / end_s * WIDTH


def _boxes(spans: Iterable[tuple[int, float, float]], lane: float) -> str:
    """Return one path of many boxes: thousands of elements would make a page slow."""
    gap = lane / 4
    return "".join(
        f"M{left:.2f} {HEAD + number * lane + gap / 2:g}h{right - left:.2f}v{lane - gap:g}H{left:.2f}z"
        for number, left, right in spans
    )


def _legend() -> Iterator[str]:
    """Yield what the colours mean, from the right edge."""
    for number, (meaning, look) in enumerate(LOOKS.values()):
        left = WIDTH - 165 * (len(LOOKS) - number) + 25
        yield f'<path {look} d="M{left:g} 4h20v11h-20z"/>'
        yield f'<text x="{left + 26:g}" y="15" fill="var(--muted)">{meaning}</text>'


def _axis(end_s: float, top: float) -> Iterator[str]:
    step = next((each for each in TICKS if end_s / each <= MOST_TICKS), TICKS[-1])
    for number in range(int(end_s / step + 1e-9) + 1):
        left = 0.5 + number * step / end_s * (WIDTH - 1)
        yield f'<path stroke="var(--muted)" d="M{left:.2f} {top:g}v18"/>'
        if left < LAST_LABEL * WIDTH:
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
