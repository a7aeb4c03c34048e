"""Renders a document in the terminal: one table, some sentences, trust, and the path of the report."""

import re
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.style import Style
from rich.table import Table as RichTable
from rich.text import Text

from iolab.report.document import (
    Block,
    Cards,
    Column,
    Document,
    Facts,
    Folded,
    Sentences,
    Table,
)
from iolab.report.doubts import Found, Trust
from iolab.report.numbers import counted

END = re.compile(r"(?<=\.) (?=[A-Z])")  # of a sentence
SENTENCES = 3  # of a report: the terminal shows no more
MOST = 12  # findings: if there are more, the terminal shows one of each kind
STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
TRUST = {"good": "bold green", "limited": "bold yellow", "poor": "bold red"}
GAP = 2  # columns of text between columns of a table


def show(console: Console, document: Document, address: str) -> None:
    """Print the brief form of a report, and the address of the full one."""
    if document.lacks:
        _print(console, document.lacks, "bold red")
    _print(console, document.question, "bold")
    for text in filter(None, [document.verdict, document.course]):
        _print(console, text)
    blocks = [block for section in document.answer if section.brief for block in section.blocks]
    for table in [block for block in blocks if isinstance(block, Table) and block.rows][:1]:
        console.print(rich_table(table, console.width))
    for text in _sentences(blocks):
        _print(console, f"- {text}")
    show_trust(console, document.trust)
    for each in [each for each in document.findings if each.severity != "note"][:1]:
        _print(console, f"  → {each.remedy}")
    for text in filter(None, [*document.closing, _more(document)]):
        _print(console, text)
    if document.following:
        _print(console, "Next:")
        for command, what in document.following:
            _print(console, f"  {command}: {what}", soft_wrap=True)
    show_address(console, "Report", address)


def _sentences(blocks: Sequence[Block]) -> list[str]:
    """Return the first sentences of a report; those of cards only if there is room for all cards."""
    texts = [text for block in blocks if isinstance(block, Sentences) for text in block.texts]
    cards = [card for block in blocks if isinstance(block, Cards) for card in block.cards]
    if len(texts) + len(cards) <= SENTENCES:
        texts += [f"{card.title}: {card.verdict}. {card.text}" for card in cards]
    shown: list[str] = []
    left = SENTENCES
    for text in texts:
        each = END.split(text)[:left]
        left -= len(each)
        shown += [" ".join(each)] if each else []
    return shown


def _more(document: Document) -> str:
    """Say what else the report has."""
    questions = sum(isinstance(block, Folded) for section in document.details for block in section.blocks)
    parts = [
        f"{counted(len(document.findings), 'finding')} with remedies" if document.findings else "",
        f"{counted(questions, 'question')} about these numbers with folded answers" if questions else "",
    ]
    said = ", and ".join(filter(None, parts))
    return f"The report has {said}." if said else ""


def show_trust(console: Console, trust: Trust) -> None:
    """Print how far the numbers can be trusted, and why."""
    console.print(Text.assemble((f"Trust: {trust.level}.", TRUST[trust.level]), f" {trust.text}"))


def show_address(console: Console, what: str, address: str) -> None:
    """Print an address on a line of its own, which terminals open with a click."""
    console.print(Text.assemble(f"{what}: ", Text(address, Style(link=address))), soft_wrap=True)


def show_findings(console: Console, findings: Sequence[Found]) -> None:
    """Print findings, each with what to do."""
    for each in findings:
        where = f", {each.place}" if each.place else ""
        console.print(
            f"[{STYLES[each.severity]}]{each.severity}[/]{escape(where)}: {escape(each.message)}\n"
            f"  → {escape(each.remedy)}",
            highlight=False,
        )


def rich_table(shown: Table, width: int, title: str = "") -> RichTable:
    """Return a table for a console of `width` columns of text.

    If it is too wide, short headings and texts are used; if it is still too wide, columns are left out.
    """
    places, brief = _fitting(shown, width)
    drawn = RichTable(
        box=box.SIMPLE_HEAD,
        padding=(0, GAP - 1, 0, 0),  # the box adds a column between two columns
        pad_edge=False,
        title=escape(title) or None,
        title_justify="left",
        title_style="bold",
    )
    for at in places:
        column = shown.columns[at]
        drawn.add_column(
            escape(_heading(column, brief=brief)),
            justify="right" if column.numeric else "left",
            no_wrap=column.numeric,
            style="bold" if column.bold else None,
        )
    for number, row in enumerate(shown.rows):
        texts = [escape(_text(shown.columns[at], row[at], brief=brief)) for at in places]
        drawn.add_row(*texts, end_section=number in shown.ends, style="dim" if number in shown.marked else None)
    return drawn


def facts_table(facts: Facts) -> RichTable:
    """Return names and values in two columns."""
    drawn = RichTable.grid(padding=(0, GAP, 0, 0))
    for name, value in facts.pairs:
        drawn.add_row(escape(name), escape(value))
    return drawn


def _fitting(shown: Table, width: int) -> tuple[list[int], bool]:
    """Return the indices of the columns that fit into a width, and whether to use short texts."""
    places = list(range(len(shown.columns)))
    if _width(shown, places, brief=False) <= width:
        return places, False
    while _width(shown, places, brief=True) > width:
        rank = max(shown.columns[at].rank for at in places)
        if not rank:
            break
        places.remove(max(at for at in places if shown.columns[at].rank == rank))
    return places, True


def _width(shown: Table, places: Sequence[int], *, brief: bool) -> int:
    each = [
        max(
            _room(shown.columns[at], _heading(shown.columns[at], brief=brief)),
            *(len(_text(shown.columns[at], row[at], brief=brief)) for row in shown.rows),
            0,
        )
        for at in places
    ]
    return sum(each) + GAP * len(each)


def _room(column: Column[object], heading: str) -> int:
    """Return the width of a heading; that of a numeric column is never broken, others only between words."""
    return len(heading) if column.numeric else max(map(len, heading.split()), default=0)


def _heading(column: Column[object], *, brief: bool) -> str:
    return column.short if brief and column.short else column.heading


def _text(column: Column[object], text: str, *, brief: bool) -> str:
    return column.shorten(text) if brief and column.shorten else text


def _print(console: Console, text: str, style: str = "", *, soft_wrap: bool = False) -> None:
    console.print(Text(text, style=style), soft_wrap=soft_wrap)
