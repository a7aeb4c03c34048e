"""Terminal output that several commands share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

from iolab.report import numbers
from iolab.report.brief import facts_table, rich_table, show_findings
from iolab.report.document import Facts, plain
from iolab.report.doubts import Found

MARKS = {True: "[green]✓[/]", False: "[yellow]✗[/]", None: "[cyan]?[/]"}


@contextmanager
def busy(console: Console) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what is going on: with a spinner in a terminal, otherwise with a line."""
    if not console.is_terminal:
        yield lambda what: console.print(f"{what} ...", highlight=False, soft_wrap=True)
        return
    with console.status("One moment ...") as status:
        yield lambda what: status.update(f"{what} ...")


def show_place(console: Console, runtime: str, reason: str) -> None:
    """Print where the servers run, and why."""
    console.print(f"Servers run {numbers.PLACES[runtime]}: {escape(reason)}.", highlight=False, soft_wrap=True)


def show_pages(console: Console, pages: Sequence[tuple[str, str]]) -> None:
    """Print the pages that `up` has started: (address, description)."""
    console.print(rich_table(plain(("Address", "Page"), pages, text=2), console.width))
    console.print("Stop everything with `make down`.", highlight=False)


def show_facts(console: Console, facts: Sequence[tuple[bool | None, str, str]]) -> None:
    """Print the results of `doctor`: (fine or not, or None for not checked; name; description)."""
    for fine, name, text in facts:
        console.print(
            f"{MARKS[fine]} [bold]{escape(name):<14}[/] {escape(text)}",
            highlight=False,
            soft_wrap=True,
        )


def show_cell(
    console: Console, name: str, figures: Iterable[tuple[str, Any]], findings: Sequence[Mapping[str, str]]
) -> None:
    """Print all figures and findings of one cell."""
    console.print(name, markup=False, style="bold", highlight=False)
    pairs = []
    for figure, value in figures:
        text = numbers.NOT_KNOWN if value is None else f"{value:,.4g}" if isinstance(value, float) else str(value)
        pairs.append((figure.replace("_", " "), text))
    console.print(facts_table(Facts(pairs)))
    show_findings(console, [Found(each["severity"], "", each["message"], each["remedy"]) for each in findings])
