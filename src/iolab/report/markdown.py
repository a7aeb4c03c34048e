"""Renders a document as Markdown, for use in other reports. Drawings are left out."""

import re
from collections.abc import Iterable, Iterator, Sequence

from iolab.report.document import (
    Block,
    Cards,
    Document,
    Facts,
    Figure,
    Folded,
    Gallery,
    Quote,
    Section,
    Sentences,
    Table,
)
from iolab.report.doubts import Found
from iolab.report.glossary import Glossary


def render(document: Document) -> str:
    """Return report.md."""
    lines = [*([f"**{document.lacks}**", ""] if document.lacks else []), f"# {document.question}", ""]
    lines += _spaced(filter(None, [document.verdict, document.course]))
    lines += [f"**Trust: {document.trust.level}.** {document.trust.text}", "", document.about, ""]
    lines += _header(document)
    lines += _sections(document.answer)
    if document.expected:
        lines += ["## What this shows", "", *(f"- {each.place}: {each.message}" for each in document.expected), ""]
    if document.findings or not document.lacks:
        lines += ["## Findings", "", *([_finding(each) for each in document.findings] or ["None."]), ""]
    lines += _sections(document.details)
    lines += ["## How it was measured", "", *_spaced(document.method)]
    lines += [*(f"- {name}: {value}" for name, value in document.facts), ""] if document.facts else []
    lines += [document.raw, ""]
    glossary = Glossary()
    for line in lines:
        if not line.startswith("# "):
            glossary.note(line)
    if glossary.used:
        lines += ["## Terms", "", *(f"- {term.name}: {term.meaning}" for term in glossary.used), ""]
    return "\n".join(line if isinstance(line, Markup) else escaped(line) for line in lines)


class Markup(str):
    """A line that is Markdown already: nothing in it is escaped."""

    __slots__ = ()


def escaped(line: str) -> str:
    """Return a line in which text from a run is neither HTML, nor a link or picture, nor a line of its own."""
    return " ".join(line.splitlines()).replace("&", "&amp;").replace("<", "&lt;").replace("[", "&#91;")


def _code(text: str) -> str:
    """Return text in a code span, in which nothing is escaped; it cannot end the span."""
    return f"`{' '.join(text.replace('`', '').splitlines())}`"


def _header(document: Document) -> Iterator[str]:
    """Yield which settings were changed, how to repeat the run, and what to run next."""
    if document.changed:
        changed = ", ".join(_code(f"{name} = {value}") for name, value in document.changed)
        yield from (Markup(f"Changed settings: {changed}"), "")
    if document.repeat:
        yield from (Markup(f"Repeat this run: {_code(document.repeat)}"), "")
    if document.following:
        following = "; ".join(f"{_code(command)} ({what})" for command, what in document.following)
        yield from (Markup(f"Next: {following}"), "")


def table(shown: Table) -> list[str]:
    """Return the lines of a table."""
    marks = ["--:" if column.numeric else ":--" for column in shown.columns]
    return [_row([column.heading for column in shown.columns]), _row(marks), *(_row(row) for row in shown.rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _finding(each: Found) -> str:
    return f"- **{each.severity}**, {each.place}: {each.message.rstrip('.')}. What to do: {each.remedy}"


def _spaced(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (text, "")


def _sections(sections: Sequence[Section]) -> Iterator[str]:
    for section in sections:
        lines = [line for block in section.blocks for line in _block(block)]
        if lines:
            yield from ([f"## {section.heading}", ""] if section.heading else [])
            yield from lines


def _block(block: Block) -> Iterator[str]:
    """Yield the lines of a block, followed by an empty line if there are any."""
    match block:
        case Sentences():
            yield from [*(f"- {text}" for text in block.texts), ""] if block.texts else []
        case Cards():
            yield from [*(f"- **{card.title}: {card.verdict}.** {card.text}" for card in block.cards), ""]
        case Table():
            if block.rows:
                yield from [*table(block), ""]
                yield from [block.note, ""] if block.note else []
        case Facts():
            yield from [*(f"- {name}: {value}" for name, value in block.pairs), ""]
        case Quote():
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
            yield from (Markup(line) for line in (f"{fence}text", block.text, fence, ""))
        case Folded():
            yield from (Markup("<details>"), Markup(f"<summary>{escaped(block.question)}</summary>"), "")
            for each in block.blocks:
                yield from _block(each)
            yield from (Markup("</details>"), "")
        case Figure() | Gallery():
            pass
