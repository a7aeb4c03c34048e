"""A report as data: its content, before a renderer decides how it looks.

A kind of experiment makes a Document; the terminal, Markdown and the HTML page render it (brief.py, markdown.py,
pages.py). No kind writes HTML, and no renderer knows a kind.

What a student of the course predicts first is marked: a text by `Answer` (marked.py), a column or a section by its
`answer`, a figure by what takes its place. answers.py hides it; renderers do not know the difference.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from iolab.report import numbers
from iolab.report.doubts import Found, Trust

X = TypeVar("X")
EMPTY = frozenset({"", "0", numbers.seconds(0), numbers.NOT_KNOWN})


@dataclass(frozen=True)
class Sentences:
    """Sentences, each a paragraph of the page and a point of a list elsewhere."""

    texts: Sequence[str]


class Card(NamedTuple):
    """The result of one model: its name, one word or number, a sentence, and a CSS colour."""

    title: str
    verdict: str
    text: str
    colour: str


@dataclass(frozen=True)
class Cards:
    """One card for each model; a renderer without cards writes a sentence for each."""

    cards: Sequence[Card]


@dataclass(frozen=True)
class Column(Generic[X]):
    """A column of a table: its heading, and the text of an item in it.

    In narrow output, columns are left out, those of the highest `rank` first; 0 is never left out. `short` is the
    heading, and `shorten` makes the text, in narrow output. `answer`: it tells what theory predicts.
    """

    heading: str
    text: Callable[[X], str]
    numeric: bool = True
    bold: bool = False
    rank: int = 0
    short: str = ""
    shorten: Callable[[str], str] | None = None
    answer: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of text under columns; `marked` rows cannot be trusted, and a group of rows ends with each of `ends`."""

    columns: Sequence[Column[Any]]
    rows: Sequence[Sequence[str]]
    note: str = ""
    marked: frozenset[int] = frozenset()
    ends: frozenset[int] = frozenset()


def table(
    columns: Sequence[Column[X]],
    items: Iterable[X],
    *,
    note: str = "",
    marked: Callable[[X], bool] | None = None,
    group: Callable[[X], Hashable] | None = None,
) -> Table:
    """Return a table with a row for each item; numeric columns without a value in any row are left out.

    A bold column always stays.
    """
    items = list(items)
    rows = [[column.text(item) for column in columns] for item in items]
    used = [
        at
        for at, column in enumerate(columns)
        if not column.numeric or column.bold or {row[at] for row in rows} - EMPTY
    ]
    keys = [group(item) if group else None for item in items]
    return Table(
        [columns[at] for at in used],
        [[row[at] for at in used] for row in rows],
        note,
        frozenset(number for number, item in enumerate(items) if marked and marked(item)),
        frozenset(number for number in range(len(items) - 1) if keys[number] != keys[number + 1]),
    )


def plain(headings: Sequence[str], rows: Iterable[Sequence[str]], *, text: int = 1) -> Table:
    """Return a table of formatted rows; the first `text` columns are text, the others are numbers."""
    columns: list[Column[Any]] = [Column(heading, str, numeric=at >= text) for at, heading in enumerate(headings)]
    return Table(columns, [list(row) for row in rows])


@dataclass(frozen=True)
class Figure:
    """A drawing, made when a page asks for it: SVG in the page's own colours. An empty one is left out.

    `draw` is asked for two forms: a wide one, and a narrow one (True) for small screens. `instead` takes its place
    where answers are hidden.
    """

    draw: Callable[[bool], str]
    caption: str = ""
    instead: "Figure | None" = None


class Picture(NamedTuple):
    """A small drawing of a gallery (SVG), its title and its caption."""

    draw: Callable[[], str]
    title: str
    caption: str


@dataclass(frozen=True)
class Gallery:
    """Small drawings side by side under a title, a legend of (SVG, meaning), and a note below."""

    pictures: Sequence[Picture]
    title: str = ""
    legend: Sequence[tuple[str, str]] = ()
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Quote:
    """Text from a log or a terminal."""

    text: str


@dataclass(frozen=True)
class Folded:
    """A question, and an answer that the page shows when a reader unfolds it."""

    question: str
    blocks: "Sequence[Block]"


Block = Sentences | Cards | Table | Figure | Gallery | Facts | Quote | Folded


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; those of a `brief` section are shown in the terminal too.

    `answer`: the section tells an answer.
    """

    heading: str
    blocks: Sequence[Block]
    brief: bool = False
    answer: bool = False


@dataclass(frozen=True)
class Document:
    """A report in the order in which it is read.

    `question` heads it, `verdict` answers it in one sentence, and `trust` says how far the numbers can be believed.
    `about` says which run it is, `lacks` what the run lacks that is not whole. `answer` is what was found, `expected`
    what the experiment was made to show and a check noticed, `findings` what to doubt, `details` the rest; `method`
    says how it was measured, on the machine of `facts`; `raw` which rows lie in samples/. `closing` are the last lines
    of the terminal's form.

    `changed` are the settings that differ from the experiment's file (name, value), `repeat` is the command that
    repeats the run, and `following` are experiments to run next (command, what it does). `course` says that answers
    are hidden, or shown, in a run of the course.
    """

    question: str
    verdict: str
    trust: Trust
    about: str
    lacks: str
    answer: Sequence[Section]
    expected: Sequence[Found]
    findings: Sequence[Found]
    details: Sequence[Section]
    method: Sequence[str]
    facts: Sequence[tuple[str, str]]
    raw: str
    closing: Sequence[str] = ()
    changed: Sequence[tuple[str, str]] = ()
    repeat: str = ""
    following: Sequence[tuple[str, str]] = ()
    course: str = ""
