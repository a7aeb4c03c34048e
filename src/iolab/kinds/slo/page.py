"""What each model sustains, in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iolab.kinds.slo.plan import Found, Objective
from iolab.report import words


def show(console: Console, objective: Objective, found: Sequence[Found], folder: str) -> None:
    """Print a row a model, and what it says."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left", title_style="bold")
    table.title = escape(f"How many may come a second, so that {objective.text}?")
    headings = ("Model", "Holds at", "there", "not at", "there", "Theory, M/D/c")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "Model" else "right", no_wrap=True)
    for each in found:
        best, broken = each.best, each.broken
        table.add_row(
            escape(f"{each.letter} {each.name}"),
            _rate(best.rate_rps) if best else "none",
            words.milliseconds(best.value_s * 1000 if best and best.value_s is not None else None),
            _rate(broken.rate_rps) if broken else "-",
            words.milliseconds(broken.value_s * 1000 if broken and broken.value_s is not None else None),
            _rate(each.theory_rps),
        )
    console.print(table)
    for each in found:
        console.print(f"- {escape(sentence(each, objective))}", highlight=False)
    console.print(f"Every plan is kept in {escape(folder)}", highlight=False, soft_wrap=True)


def _rate(value_rps: float | None) -> str:
    """Return a rate with a digit more than elsewhere: what holds and what does not lie close together."""
    return words.rate(value_rps) if value_rps is None or value_rps >= 100 else f"{value_rps:.1f}/s"


def sentence(found: Found, objective: Objective) -> str:
    """Say in words what one model sustains."""
    letter, best = found.letter, found.best
    if best is None:
        return f"{letter} does not meet {objective.text} at any rate that was tried."
    if found.broken is None:
        return f"{letter} meets {objective.text} at {_rate(best.rate_rps)}, the highest rate that was tried."
    text = f"{letter} meets {objective.text} up to {_rate(best.rate_rps)}"
    if found.theory_rps is None:
        return text + "."
    capacity_rps = found.workers / found.calibration.service_s
    return f"{text}, when it is busy {best.rate_rps / capacity_rps:.0%} of the time; beyond that the queue is too long."
