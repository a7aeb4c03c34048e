"""A report as data: what a run says, before a renderer decides how it looks.

A kind of experiment makes a Document; the terminal, Markdown and the HTML page render it (brief.py, markdown.py,
pages.py). No kind writes HTML, and no renderer knows a kind.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from iolab.findings import GRAVITY
from iolab.findings.machine import during
from iolab.report import numbers
from iolab.results.records import Finding, RunInfo, TrialRecord

X = TypeVar("X")
EMPTY = frozenset({"", "0", numbers.seconds(0), numbers.NOT_KNOWN})


@dataclass(frozen=True)
class Sentences:
    """Sentences, each a paragraph of the page and a point of a list elsewhere."""

    texts: Sequence[str]


class Card(NamedTuple):
    """What a run says of one model: its name, one word or number, a sentence, and a colour as CSS writes it."""

    title: str
    verdict: str
    text: str
    colour: str


@dataclass(frozen=True)
class Cards:
    """One card a model; a sentence each where there are no cards."""

    cards: Sequence[Card]


@dataclass(frozen=True)
class Column(Generic[X]):
    """A column of a table: its heading, and the text of an item in it.

    Where there is little room, columns are left out, those of the highest `rank` first; 0 is never left out. `short`
    is the heading, and `shorten` makes the text, where there is little room.
    """

    heading: str
    text: Callable[[X], str]
    numeric: bool = True
    bold: bool = False
    rank: int = 0
    short: str = ""
    shorten: Callable[[str], str] | None = None


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
    """Return the table of some items, a row each; columns of numbers that say nothing in any row are left out.

    A bold one stays.
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
    """Return a table of rows that are texts already; the first `text` columns are text, the others are numbers."""
    columns: list[Column[Any]] = [Column(heading, str, numeric=at >= text) for at, heading in enumerate(headings)]
    return Table(columns, [list(row) for row in rows])


@dataclass(frozen=True)
class Figure:
    """A drawing, made when a page asks for it: SVG in the page's own colours. An empty one is left out."""

    draw: Callable[[], str]
    caption: str = ""


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
    """Text as a log or a terminal had it."""

    text: str


@dataclass(frozen=True)
class Folded:
    """A question, and an answer that a reader of the page unfolds."""

    question: str
    blocks: "Sequence[Block]"


Block = Sentences | Cards | Table | Figure | Gallery | Facts | Quote | Folded


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; those of a `brief` section are shown in the terminal too."""

    heading: str
    blocks: Sequence[Block]
    brief: bool = False


class Found(NamedTuple):
    """A finding of a report: one that several cells share is said once, with all places."""

    severity: str
    place: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Document:
    """A report in the order in which it is read.

    `question` heads it; `about` says which run it is, `lacks` what the run lacks that is not whole. `answer` is what
    was found, `findings` what to doubt, `details` the rest; `method` says how it was measured, on the machine of
    `facts`; `raw` which rows lie in samples/. `closing` are the last lines of the terminal's form.
    """

    question: str
    about: str
    lacks: str
    answer: Sequence[Section]
    findings: Sequence[Found]
    details: Sequence[Section]
    method: Sequence[str]
    facts: Sequence[tuple[str, str]]
    raw: str
    closing: Sequence[str] = ()


def about(run: RunInfo, trials: int, load: str = "") -> str:
    """Return which run a report is of: experiment, date, trials, what made the load, and where servers ran."""
    count = f"{trials} of {run.trials_planned} trials" if run.trials_planned else f"{trials} trials"
    parts = [str(run.experiment["name"]), f"{run.started:%Y-%m-%d %H:%M} UTC", count]
    parts += [f"load by {load or run.generator}"]
    return f"Experiment {', '.join(parts)}. {place(run)}"


def place(run: RunInfo) -> str:
    """Return where the servers ran, and why there, in a sentence."""
    return f"Servers ran {numbers.PLACES[run.runtime]}: {run.runtime_reason}."


def cpu_plan(run: RunInfo) -> str:
    """Return which cores served and which loaded, for each CPU limit."""
    lines = []
    for plan in run.cpu_plans:
        server, loadgen = (numbers.cores(", ".join(map(str, cores))) for cores in (plan.server, plan.loadgen))
        lines.append(f"CPUS={plan.cpus:g}: servers on {server}, load generator on {loadgen}")
    return f"{'; '.join(lines)}." if lines else ""


def raw(rows: str) -> str:
    """Return where the raw data of a run are; `rows` says what samples/ holds."""
    return (
        "The raw data are beside this file: run.json, trials.jsonl with one line a trial, summary.json, and in samples/"
        f" {rows}. make report RUN= with this folder rebuilds this page."
    )


def lacks(run: RunInfo, trials: int) -> str:
    """Return what a run lacks that is not whole, in a sentence; nothing where it is whole."""
    here = f"{trials} of {run.trials_planned} trials are here" if run.trials_planned else f"{trials} trials are here"
    if run.status == "complete":
        return f"trials.jsonl lacks lines: {here}." if trials < run.trials_planned else ""
    return {
        "partial": f"This run was interrupted: {here}.",
        "failed": f"This run failed: {here}; the findings say what is wrong.",
        "running": f"This run has not ended: {here} so far.",
    }[run.status]


def found(places: Iterable[tuple[str, Iterable[Finding]]], every: str = "every cell") -> list[Found]:
    """Return the findings of (place, findings), the gravest first; the same one is said once, with all its places."""
    shared: dict[tuple[str, str, str], list[str]] = {}
    number = 0
    for number, (where_, findings) in enumerate(places, 1):  # noqa: B007 (counts the places)
        for each in findings:
            shared.setdefault((each.severity, each.message, each.remedy), []).append(where_)
    return sorted(
        (
            Found(severity, every if len(where) == number > 1 else "; ".join(dict.fromkeys(where)), message, remedy)
            for (severity, message, remedy), where in shared.items()
        ),
        key=lambda row: GRAVITY[row.severity],
    )


def invalid(records: Iterable[tuple[str, TrialRecord]]) -> list[Found]:
    """Return a finding for each trial of (place, record) that is not valid."""
    return [
        Found("error", where, f"this trial is not valid: {record.reason}", "run the experiment again")
        for where, record in records
        if not record.valid
    ]


def doubts(run: RunInfo, records: Iterable[tuple[str, TrialRecord]], cpus: float) -> list[Found]:
    """Return what to doubt of each trial of (place, record): that it is not valid, and what the machine did."""
    each = list(records)
    of_the_machine = [(where, during(run, (record,), cpus)) for where, record in each]
    return [*invalid(each), *found(of_the_machine, "every trial")]


def condensed(findings: Sequence[Found], most: int) -> list[Found]:
    """Return the findings where there are no more than `most`; else one for each severity and kind of remedy."""
    if len(findings) <= most:
        return list(findings)
    kinds: dict[tuple[str, str], list[Found]] = {}
    for each in findings:
        kinds.setdefault((each.severity, each.remedy.partition(":")[0]), []).append(each)
    return [
        same[0] if len(same) == 1 else same[0]._replace(place=f"{same[0].place}, and {len(same) - 1} more like it")
        for same in kinds.values()
    ]


def machine(environment: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the facts of run.json's environment as names and texts."""
    return [(name.removesuffix("_bytes").replace("_", " "), _text(name, value)) for name, value in environment.items()]


def _text(name: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {version}" for key, version in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return numbers.memory(int(str(value))) if name.endswith("_bytes") else str(value)
