"""Hides what a student of the course predicts first: theory, and answers. Measured values stay."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from iolab.report.document import Block, Card, Cards, Document, Figure, Folded, Section, Sentences, Table
from iolab.report.doubts import Found, Trust
from iolab.report.marked import Answer, hidden

X = TypeVar("X")
RUN = "RUN=..."  # stands for the run's folder until that is known
HIDDEN = (
    "Predictions of theory and answers are hidden until your own prediction is recorded: make learn."
    f" To show them now: make report {RUN} ANSWERS=1"
)
SHOWN = "This is a run of the course; predictions of theory and answers are shown, because ANSWERS=1 was given."


def unanswered(document: Document) -> Document:
    """Return a report without what is marked, and a sentence that says so; the same report if nothing is marked."""
    shown = replace(
        document,
        verdict=hidden(document.verdict),
        trust=_trust(document.trust),
        answer=_left(document.answer, _section),
        expected=document.expected[:0],
        findings=measured(document.findings),
        details=_left(document.details, _section),
        method=_left(document.method, _text),
        closing=_left(document.closing, _text),
    )
    return document if shown == document else replace(shown, course=HIDDEN)


def measured(findings: Sequence[Found]) -> Sequence[Found]:
    """Return findings without what theory says of them."""
    return _left(findings, lambda each: each._replace(message=hidden(each.message)))


def without(cells: Sequence[Mapping[str, Any]], names: Collection[str]) -> list[dict[str, Any]]:
    """Return cells of summary.json without the figures, and without the findings, of those names."""
    found = [{name: value for name, value in cell.items() if name not in names} for cell in cells]
    for cell in found:
        if "findings" in cell:
            cell["findings"] = [each for each in cell["findings"] if each["id"] not in names]
    return found


def _left(items: Sequence[X], hide: Callable[[X], X | None]) -> Sequence[X]:
    """Return what is left of some items; the same sequence if nothing is hidden."""
    left = [found for each in items if (found := hide(each)) is not None]
    return items if left == list(items) else left


def _text(text: str) -> str | None:
    return (hidden(text) or None) if isinstance(text, Answer) else text


def _trust(trust: Trust) -> Trust:
    return trust._replace(text=hidden(trust.text))


def _section(section: Section) -> Section | None:
    if section.answer:
        return None
    return replace(section, heading=hidden(section.heading), blocks=_left(section.blocks, _block))


def _block(block: Block) -> Block | None:
    """Return what is left of a block; a card tells the answer if its verdict does, a folded block always does."""
    match block:
        case Sentences():
            texts = _left(block.texts, _text)
            return replace(block, texts=texts) if texts or not block.texts else None
        case Cards():
            cards = _left(block.cards, _card)
            return Cards(cards) if cards else None
        case Table():
            return _table(block)
        case Figure():
            return block.instead or block
        case Folded():
            return None
        case _:
            return block


def _card(card: Card) -> Card | None:
    return card._replace(text=hidden(card.text)) if card.verdict == hidden(card.verdict) else None


def _table(table: Table) -> Table:
    left = [at for at, column in enumerate(table.columns) if not column.answer]
    if len(left) < len(table.columns):
        columns, rows = [table.columns[at] for at in left], [[row[at] for at in left] for row in table.rows]
        table = replace(table, columns=columns, rows=rows)
    return replace(table, note=hidden(table.note))
