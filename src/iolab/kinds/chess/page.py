"""The exhibition in the terminal, in Markdown and as a page: arithmetic, measurements, a timeline of every server."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.kinds.chess.cells import Analysis, Exhibition
from iolab.kinds.chess.plan import Arithmetic, Rules
from iolab.kinds.chess.settings import ChessExperiment
from iolab.kinds.chess.timeline import clock, timeline
from iolab.report import drawing, numbers
from iolab.report.markdown import table
from iolab.report.pages import template

BEGINNING_S = 360.0
CONVOY = 0.6  # of the boards in play begin to think together
LATE = 1.1  # times the least that the arithmetic allows
HEADINGS = ("Server", "At once", "Arithmetic", "Measured", "She moves", "In step")


def show(console: Console, analysis: Analysis, folder: str) -> None:
    """Print every server's exhibition beside the arithmetic, what that means, and where the timelines are."""
    shown = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        title=heading(analysis.experiment.chess, analysis.experiment.boards),
        title_justify="left",
        title_style="bold",
    )
    for name in HEADINGS:
        shown.add_column(name, justify="right" if shown.columns else "left")
    for row in rows(analysis.exhibitions):
        shown.add_row(*map(escape, row))
    if analysis.exhibitions:
        console.print(shown)
    texts = [f"{each.model.letter}: {sentence(each, analysis.experiment.boards)}" for each in analysis.exhibitions]
    for text in (*analysis.lacks, *texts, "", legend(analysis.experiment.chess)):
        console.print(text, highlight=False, markup=False)
    console.print(f"Report: {escape(folder)}/report.html", highlight=False, soft_wrap=True)


def rows(exhibitions: Sequence[Exhibition]) -> list[list[str]]:
    """Return a row of the table for each exhibition."""
    return [
        [
            f"{each.model.letter} {each.model.title}",
            str(each.arithmetic.boards_at_once),
            bounds(each.arithmetic),
            clock(each.played.took_s),
            f"{each.played.busy:.0%}",
            f"{each.played.in_step:.1f}",
        ]
        for each in exhibitions
    ]


def heading(rules: Rules, boards: int) -> str:
    """Return the question in one line."""
    return (
        f"{boards} games of {rules.moves} pairs of moves: she needs {rules.master_s:g} s a move,"
        f" they need {rules.opponent_s:g} s"
    )


def legend(rules: Rules) -> str:
    """Say what the columns are."""
    return (
        f"Times are the story's: a second is {rules.scale_ms:g} ms here. At once: boards in play. In step: opponents"
        " who began to think at the same moment, as the mean opponent sees it."
    )


def bounds(arithmetic: Arithmetic) -> str:
    """Return what the arithmetic says."""
    least, most = clock(arithmetic.least_s), clock(arithmetic.most_s)
    return least if least == most else f"{least} to {most}"


def sentence(shown: Exhibition, boards: int) -> str:
    """Say what happened at the boards, as far as the data show it."""
    rules, at_once = shown.played.rules, shown.arithmetic.boards_at_once
    round_s = max(at_once * rules.master_s, rules.pair_s)
    if at_once == 1:
        return (
            f"She stays at a board until its opponent has moved: {boards} x {rules.moves} x {rules.pair_s:g} s."
            f" The others wait. She moves pieces {shown.played.busy:.0%} of the time."
        )
    if at_once < boards:
        text = f"{at_once} opponents may think at once; for the other {boards - at_once} there is no thread."
    else:
        text = f"All {boards} think at once, while she walks from board to board."
    text += (
        f" A round of {at_once} takes {clock(round_s)}: {at_once} x {rules.master_s:g} s of her moves"
        f" or one pair of {rules.pair_s:g} s, whichever is longer."
    )
    return f"{text} {_convoy(shown)}".strip()


def _convoy(shown: Exhibition) -> str:
    """Explain what took longer than it must, where boards that move in step are why."""
    took_s, at_once = shown.played.took_s, shown.arithmetic.boards_at_once
    if took_s <= LATE * shown.arithmetic.least_s:
        return "So it was."
    text = f"It took {clock(took_s)}, and she moved pieces {shown.played.busy:.0%} of the time."
    if shown.played.in_step < 2:
        return text
    text += f" Opponents began to think {shown.played.in_step:.0f} at a time"
    if shown.played.in_step < CONVOY * at_once:
        return f"{text}: while some think, she is with the others."
    text += ", a convoy: they think together while she waits, and then wait together while she goes around."
    if shown.usage.threads_peak == 1:
        text += (
            " The event loop serves all whose time has come before it reads what has come in meanwhile, so boards that"
            " are in step stay in step."
        )
    return text


def markdown(
    exhibitions: Sequence[Exhibition], experiment: ChessExperiment, runtime: str, lacks: Sequence[str] = ()
) -> str:
    """Return report.md."""
    question = experiment.question.replace("{boards}", str(experiment.boards))
    lines = [f"# {question}", ""]
    lines += [f"{heading(experiment.chess, experiment.boards)}. Measured {numbers.PLACES[runtime]}.", ""]
    lines += [line for text in lacks for line in (text, "")]
    if exhibitions:
        lines += [*table(HEADINGS, rows(exhibitions)), ""]
        lines += [f"- {each.model.letter}: {sentence(each, experiment.boards)}" for each in exhibitions]
        lines += ["", legend(experiment.chess), ""]
    return "\n".join(lines)


def render(
    exhibitions: Sequence[Exhibition], experiment: ChessExperiment, runtime: str, lacks: Sequence[str] = ()
) -> str:
    """Return report.html, one file that needs nothing else."""
    rules, boards = experiment.chess, experiment.boards
    longest_s = max((max(each.played.took_s, each.arithmetic.most_s) for each in exhibitions), default=0.0)
    beginning_s = min([BEGINNING_S, *(each.played.took_s for each in exhibitions)])
    return template("chess.html.j2").render(
        boards=boards,
        lacks=lacks,
        heading=heading(rules, boards),
        legend=legend(rules),
        place=numbers.PLACES[runtime],
        beginning=clock(beginning_s),
        models=[
            {
                "letter": each.model.letter,
                "title": each.model.title,
                "colour": drawing.COLOURS[number % len(drawing.COLOURS)],
                "took": clock(each.played.took_s),
                "bounds": bounds(each.arithmetic),
                "at_once": each.arithmetic.boards_at_once,
                "busy": f"{each.played.busy:.0%}",
                "in_step": f"{each.played.in_step:.1f}",
                "bar": 100 * each.played.took_s / longest_s,
                "least": 100 * each.arithmetic.least_s / longest_s,
                "most": 100 * each.arithmetic.most_s / longest_s,
                "sentence": sentence(each, boards),
                "begin": timeline(
                    each.played, boards, beginning_s, f"{each.model.title}: who thought and who moved at first"
                ),
                "whole": timeline(
                    each.played,
                    boards,
                    each.played.took_s,
                    f"{each.model.title}: who thought and who moved, to the end",
                ),
            }
            for number, each in enumerate(exhibitions)
        ],
    )
