"""The report of an exhibition: every server compared with the calculation, and the timelines of its boards."""

from collections.abc import Sequence
from functools import partial

from matplotlib.ticker import MultipleLocator

from iolab.kinds.chess.cells import Analysis, Exhibition
from iolab.kinds.chess.plan import Arithmetic
from iolab.kinds.chess.settings import ChessExperiment
from iolab.kinds.chess.timeline import TICKS, clock, timeline
from iolab.report import document, doubts, drawing, numbers, run_report
from iolab.report.document import Block, Column, Document, Figure, Section, Sentences
from iolab.report.marked import Answer

BEGINNING_S = 360.0
BEGINNING_LANE, WHOLE_LANE = 9.0, 4.0  # units of the drawing
CONVOY = 0.6  # of the boards in play: so many opponents begin to think together
LATE = 1.1  # times the minimum of the calculation
APART = 1.2  # times the shortest exhibition: a longer one is named in the verdict
IN_STEP = "In step: how many opponents began to think at the same moment, for the average opponent."
NOTE = Answer(
    "Calculated: the minimum, with which neither the master nor a board in play is ever idle, and the maximum, with"
    " which all opponents in play think together and then wait together for the master's moves."
    f" At once: boards in play. {IN_STEP}",
    IN_STEP,
)
BARS = "Bars: measured."
BRACKETS = "Brackets: calculated minimum and maximum."
LANES = "A lane for each board, over the time of the story."


def name(shown: Exhibition) -> str:
    """Return a server's letter and title."""
    return f"{shown.model.letter} {shown.model.title}"


def _moved(shown: Exhibition) -> str:
    """Return for which share of the time the master moved pieces."""
    return numbers.NOT_KNOWN if shown.played.busy is None else f"{shown.played.busy:.0%}"


def bounds(arithmetic: Arithmetic) -> str:
    """Return the calculated range."""
    least, most = clock(arithmetic.least_s), clock(arithmetic.most_s)
    return least if least == most else f"{least} to {most}"


COLUMNS = (
    Column[Exhibition]("Server", name, numeric=False),
    Column[Exhibition]("Measured", lambda one: clock(one.played.took_s), bold=True),
    Column[Exhibition]("Calculated", lambda one: bounds(one.arithmetic), answer=True),
    Column[Exhibition]("At once", lambda one: str(one.arithmetic.boards_at_once), rank=1, answer=True),
    Column[Exhibition]("Master moves", _moved),
    Column[Exhibition]("In step", lambda one: f"{one.played.in_step:.1f}"),
)


def report(analysis: Analysis) -> Document:
    """Return the report of a run."""
    run, experiment, number = analysis.run, analysis.experiment, len(analysis.records)
    exhibitions = analysis.exhibitions
    beginning_s = min([BEGINNING_S, *(each.played.took_s for each in exhibitions)])
    titles = {model.letter: model.title for model in run.models}
    return run_report.report(
        run,
        number,
        question=experiment.question.replace("{boards}", str(experiment.boards)),
        verdict=verdict(exhibitions, experiment.boards),
        load="a driver that plays the opponents",
        answer=[Section("", _answer(exhibitions, experiment), brief=True)],
        noun="server",
        findings=doubts.of_trials(
            run, ((f"{each.model} {titles[each.model]}", each) for each in analysis.records), experiment.cpus[0]
        ),
        details=[_boards(each, experiment.boards, beginning_s) for each in exhibitions],
        method=[settings(experiment), "Each server plays once: a small difference between two of them shows nothing."],
        rows="a row for each pair of moves",
    )


def _answer(exhibitions: Sequence[Exhibition], experiment: ChessExperiment) -> list[Block]:
    if not exhibitions:
        return []
    return [
        Sentences([f"{rules(experiment)} {masters(exhibitions, experiment.cpus[0])}".rstrip()]),
        Figure(
            partial(bars, exhibitions), f"{BARS} {BRACKETS}", Figure(partial(bars, exhibitions, theory=False), BARS)
        ),
        document.table(COLUMNS, exhibitions, note=NOTE),
    ]


def _boards(shown: Exhibition, boards: int, beginning_s: float) -> Section:
    """Return the sentence of a server, and its timelines; the first one shows only the first minutes."""
    played, took_s = shown.played, shown.played.took_s
    blocks: list[Block] = [Sentences([Answer(sentence(shown, boards), _took(shown))])]
    if beginning_s < took_s:
        title = f"{name(shown)}: the first {clock(beginning_s)}"
        blocks.append(Figure(partial(timeline, played, boards, beginning_s, title=title, lane=BEGINNING_LANE), LANES))
    title = f"{name(shown)}: the whole evening, {clock(took_s)}"
    blocks.append(Figure(partial(timeline, played, boards, took_s, title=title, lane=WHOLE_LANE), LANES))
    return Section(f"{name(shown)}: {clock(took_s)}", blocks)


def verdict(exhibitions: Sequence[Exhibition], boards: int) -> str:
    """Say how long the games took on each server, and how far apart the slowest and the fastest are."""
    if not exhibitions:
        return ""
    took = [f"{clock(each.played.took_s)} on {each.model.letter}" for each in exhibitions]
    text = f"{boards} games took {numbers.listed(took)}"
    by_time = sorted(exhibitions, key=lambda each: each.played.took_s)
    ratio = by_time[-1].played.took_s / by_time[0].played.took_s
    if ratio < APART:
        return f"{text}."
    return f"{text}: {by_time[-1].model.letter} needed {ratio:.1f} times as long as {by_time[0].model.letter}."


def rules(experiment: ChessExperiment) -> str:
    """Describe the games, and the requests that they are for a server."""
    game = experiment.chess
    return (
        f"{experiment.boards} games of {game.moves} pairs of moves: the master needs {game.master_s:g} s for a move, an"
        f" opponent {game.opponent_s:g} s. Times are those of the games: one second of a game takes"
        f" {game.scale_ms:g} ms here. A request is a pair of moves: the opponent's thinking is its wait,"
        " the master's move its computing."
    )


def masters(exhibitions: Sequence[Exhibition], cpus: float) -> str:
    """Say which servers have only one master, because of the CPU or of the interpreter lock; "" if none is known."""
    if cpus <= 1:
        return f"With {cpus:g} CPU, every server has only one master."
    locked = [each.model.letter for each in exhibitions if each.lock]
    if not locked:
        return ""
    owners = "every server" if len(locked) == len(exhibitions) else numbers.listed(locked)
    verb = "have" if 1 < len(locked) < len(exhibitions) else "has"
    return f"Only one thread at a time has the interpreter lock, so {owners} {verb} only one master."


def settings(experiment: ChessExperiment) -> str:
    """Return the settings of the servers."""
    server = experiment.server
    return (
        f"Settings: a request waits {experiment.chess.opponent_ms:g} ms and computes {experiment.chess.master_ms:g} ms,"
        f" {server.threads} threads in the pool, listen backlog {server.backlog or 'of each server'}."
    )


def sentence(shown: Exhibition, boards: int) -> str:
    """Say what happened at the boards, as far as the data show it."""
    rules, at_once = shown.played.rules, shown.arithmetic.boards_at_once
    round_s = max(at_once * rules.master_s, rules.pair_s)
    if at_once == 1:
        return (
            f"The master stays at a board until its opponent has moved: {boards} x {rules.moves} x {rules.pair_s:g} s."
            f" The other boards wait. The master moves pieces {_moved(shown)} of the time."
        )
    if at_once < boards:
        text = f"{at_once} opponents can think at once; there is no thread for the other {boards - at_once}."
    else:
        text = f"All {boards} opponents think at once, while the master walks from board to board."
    if shown.played.masters > 1:  # of a free-threaded build: how they share the boards is not computed
        return f"{text} {_convoy(shown)}"
    text += (
        f" A round of {at_once} boards takes {clock(round_s)}: {at_once} moves of the master of {rules.master_s:g} s,"
        f" or one pair of {rules.pair_s:g} s, whichever is longer."
    )
    return f"{text} {_convoy(shown)}"


def _took(shown: Exhibition) -> str:
    played = shown.played
    return f"All games took {clock(played.took_s)}, and the master moved pieces {_moved(shown)} of the time."


def _convoy(shown: Exhibition) -> str:
    """Explain why it took longer than the minimum, if boards that move in step are the reason."""
    took_s, at_once, text = shown.played.took_s, shown.arithmetic.boards_at_once, _took(shown)
    if took_s <= LATE * shown.arithmetic.least_s:
        return f"{text} That is at most {LATE - 1:.0%} above the calculated minimum."
    if shown.played.in_step < 2:
        return text
    text += f" Opponents began to think {shown.played.in_step:.0f} at a time"
    if shown.played.in_step < CONVOY * at_once:
        return f"{text}: while some think, the master moves at other boards."
    text += ", a convoy: they think together while the master waits, and then wait together while the master moves."
    if shown.usage.threads_peak == 1:
        text += (
            " The event loop serves all requests whose wait is over before it reads new requests, so boards that are in"
            " step stay in step."
        )
    return text


def bars(exhibitions: Sequence[Exhibition], narrow: bool, *, theory: bool = True) -> str:
    """Draw how long each exhibition took; with `theory`, the arithmetic's least and most as a bracket."""
    row_in = 0.9 if narrow else 0.66
    with drawing.sheet(narrow, 0.7 + row_in * len(exhibitions)) as drawn:
        axes = drawn.add_subplot()
        for row, each in enumerate(exhibitions):
            (middle, half), colour = drawing.band(row, narrow), drawing.of_letter(each.model.letter)
            least_s, most_s = each.arithmetic.least_s, each.arithmetic.most_s
            top, bottom = middle - 1.3 * half, middle + 1.3 * half
            axes.barh(middle, each.played.took_s, height=2 * half, color=colour)
            if theory:
                axes.vlines([least_s, most_s], top, bottom, color=drawing.INK, linewidth=1.8)
                axes.hlines([top, bottom], least_s, most_s, color=drawing.INK, linewidth=0.8)
        calculated = [f"\ncalculated: {bounds(each.arithmetic)}" if theory else "" for each in exhibitions]
        names = [f"{name(each)}{more}" for each, more in zip(exhibitions, calculated, strict=True)]
        drawing.rows(axes, names, [clock(each.played.took_s) for each in exhibitions], narrow)
        axes.set_xlim(left=0)
        step = next((each for each in TICKS if axes.get_xlim()[1] / each <= (4 if narrow else 6)), TICKS[-1])
        axes.xaxis.set_major_locator(MultipleLocator(step))
        axes.xaxis.set_major_formatter(lambda value, _: clock(value))
        axes.set_xlabel("duration in the time of the story")
        shown = "measured and calculated" if theory else "measured"
        return drawing.svg(drawn, f"How long each exhibition took, {shown}")
