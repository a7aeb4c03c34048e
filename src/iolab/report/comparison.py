"""A comparison of runs as a report: one document for the terminal and the page, whatever kind the runs are of."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from iolab.findings import GRAVITY
from iolab.report import comparison_words as words
from iolab.report import doubts, numbers
from iolab.report.brief import MOST, rich_table, show_address, show_findings, show_trust
from iolab.report.cells import label
from iolab.report.compared import Compared, Comparison, Row, by_cell
from iolab.report.document import Column, Document, Figure, Section, Sentences, Table, plain, table
from iolab.report.doubts import condensed
from iolab.report.pairing import ORDINALS
from iolab.results.differences import Setting
from iolab.results.folder import RunFolder
from iolab.results.records import Finding

INVALID = "(!)"  # marks a cell that is not valid
SHORT = {"no difference shown": "not shown", "within the noise": "noise"}  # where there is little room


@dataclass(frozen=True)
class Compare:
    """What a report of a comparison is made of: the runs of each side, what they show, and what else differs.

    `above` is the share by which a figure may be worse (FAIL_ABOVE), None if that is not judged.
    """

    sides: Sequence[Sequence[RunFolder]]
    found: Comparison
    settings: Sequence[Setting]
    above: float | None = None


def typed(sides: Sequence[Sequence[RunFolder]]) -> str:
    """Return RUNS= as it is typed for make: paths with spaces between them, and colons between sides."""
    several = any(len(side) > 1 for side in sides)
    texts = [" ".join(str(folder.path) for folder in side) for side in sides]
    return shlex.quote((" : " if several else " ").join(texts))


def document(compare: Compare) -> Document:
    """Return the report: every figure of every cell, what it shows, and the findings of all runs."""
    found, places = compare.found, _places(compare.found.rows)
    other = plain(
        ("Setting", *(name.capitalize() for name in ORDINALS[: len(compare.sides)])),
        [(each.name, *(" / ".join(side) for side in each.values)) for each in compare.settings],
        text=1 + len(compare.sides),
    )
    answer = [
        Section("Every figure of every cell", [_table(found), Sentences(words.of(found, compare.above))], brief=True),
        *_distributions(found.rows),
        *([Section("What else differs", [other])] if compare.settings else []),
    ]
    return Document(
        question=f"What differs between {_counted(compare.sides)}?",
        verdict=_verdict(found),
        trust=doubts.trust(places, "compared cell"),
        about=" ".join(_about(side, number) for number, side in enumerate(compare.sides)),
        lacks=words.lacks(compare.sides, compare.settings),
        answer=answer,
        expected=(),
        findings=doubts.found(places, "every compared cell"),
        details=(),
        method=words.method(found),
        facts=(),
        raw=f"The raw data are in the run folders. make compare RUNS={typed(compare.sides)} prints this comparison.",
    )


def show(console: Console, shown: Document, settings: Sequence[Setting], address: str) -> None:
    """Print the report: its table and sentences, the findings, what else differs, and the address of the page."""

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    if shown.lacks:
        console.print(shown.lacks, style="bold red", markup=False, highlight=False, soft_wrap=True)
    if shown.trust.level != "good":
        show_trust(console, shown.trust)
    for block in [block for section in shown.answer if section.brief for block in section.blocks]:
        if isinstance(block, Table):
            console.print(rich_table(block, console.width))
        elif isinstance(block, Sentences):
            for text in block.texts:
                say(text)
    show_findings(console, condensed(shown.findings, MOST))
    for each in settings:
        say(f"The runs differ in {each.name}: {numbers.listed([' / '.join(side) for side in each.values])}.")
    say(shown.verdict)
    show_address(console, "Page", address)


def _counted(sides: Sequence[Sequence[RunFolder]]) -> str:
    if all(len(side) == 1 for side in sides):
        return f"these {len(sides)} runs"
    return f"these {len(sides)} sides, of {numbers.listed([str(len(side)) for side in sides])} runs"


def _about(side: Sequence[RunFolder], number: int) -> str:
    runs = [(folder.path.name, folder.read_run()) for folder in side]
    named = ", ".join(f"{name} ({run.started:%Y-%m-%d %H:%M} UTC, {run.status})" for name, run in runs)
    return f"{ORDINALS[number].capitalize()}: {named}." + ("" if number else " Ratios are to the first.")


def _verdict(found: Comparison) -> str:
    """Say how many cells differ, and which way; what is not shown to differ is not said to be the same."""
    parts = []
    for second in sorted({*(row.second for row in found.rows), *(each.second for each in found.lost)}):
        counts = Counter(row.verdict for row in found.rows if row.second == second)
        counts += Counter("not compared" for each in found.lost if each.second == second)
        said = "; ".join(f"{numbers.counted(count, 'cell')}: {verdict}" for verdict, count in counts.most_common())
        parts.append(f"{ORDINALS[second].capitalize()}: {said}." if len(found.runs) > 2 else f"{said}.")
    return " ".join(parts)


def _table(found: Comparison) -> Table:
    return _two(found) if len(found.runs) == 2 else _several(found)


Line = tuple[Row, Compared]


def _two(found: Comparison) -> Table:
    """Return a row for each figure of each cell of two sides."""
    columns = [
        Column[Line]("Cell", lambda line: _name(line[0]), numeric=False),
        Column[Line]("Figure", lambda line: label(line[1].metric), numeric=False),
        Column[Line]("First", lambda line: numbers.figure(line[1].values[0])),
        Column[Line]("Second", lambda line: numbers.figure(line[1].values[1])),
        Column[Line]("Ratio", lambda line: _ratio(line[1]), bold=True),
        Column[Line]("95% interval", lambda line: _interval(line[1]), short="Interval", rank=1),
        Column[Line]("Could show", lambda line: words.could_show(line[1].smallest), bold=True),
        Column[Line](
            "Verdict", lambda line: line[1].verdict, numeric=False, shorten=lambda text: SHORT.get(text, text)
        ),
    ]
    lines = [(row, each) for row in found.rows for each in row.figures]
    return table(columns, lines, marked=lambda line: bool(line[0].not_valid), group=lambda line: line[0].name)


def _several(found: Comparison) -> Table:
    """Return a row for each figure of each cell, and a column for each side, with its ratio to the first."""
    by_side: list[Mapping[int, Line]] = []
    for rows in by_cell(found.rows):
        lines = [(row, each) for row in rows for each in row.figures]
        by_side += [
            {row.second: (row, each) for row, each in lines if each.metric == metric}
            for metric in dict.fromkeys(each.metric for _, each in lines)
        ]

    def name(sides: Mapping[int, Line]) -> str:
        return next(_name(row) for row, _ in sides.values())

    def value(sides: Mapping[int, Line], number: int) -> str:
        if not number:
            return numbers.figure(next(each.values[0] for _, each in sides.values()))
        if number not in sides:
            return numbers.NOT_KNOWN
        each = sides[number][1]
        verdict = f" {each.verdict}" if each.differs or each.never else ""
        return f"{numbers.figure(each.values[1])} ({_ratio(each)}{verdict})"

    def column(number: int) -> Column[Mapping[int, Line]]:
        return Column(ORDINALS[number].capitalize(), lambda sides: value(sides, number))

    def smallest(sides: Mapping[int, Line]) -> str:
        known = [each.smallest for _, each in sides.values()]
        ratios = [ratio for ratio in known if ratio is not None]
        return words.could_show(max(ratios) if len(ratios) == len(known) else None)

    columns = [
        Column[Mapping[int, Line]]("Cell", name, numeric=False),
        Column[Mapping[int, Line]](
            "Figure", lambda sides: label(next(each.metric for _, each in sides.values())), numeric=False
        ),
        *(column(number) for number in range(len(found.runs))),
        Column[Mapping[int, Line]]("Could show", smallest, bold=True),
    ]
    return table(columns, by_side, marked=lambda sides: any(row.not_valid for row, _ in sides.values()), group=name)


def _name(row: Row) -> str:
    return f"{row.name} {INVALID}" if row.not_valid else row.name


def _ratio(each: Compared) -> str:
    return numbers.NOT_KNOWN if each.ratio is None else f"{each.ratio:.3f}"


def _interval(each: Compared) -> str:
    return numbers.NOT_KNOWN if each.interval is None else words.interval(each.interval)


def _distributions(rows: Sequence[Row]) -> list[Section]:
    from iolab.report import overlaid  # noqa: PLC0415 (it draws)

    if not overlaid.drawn(rows):
        return []
    return [Section("Distributions", [Figure(lambda narrow: overlaid.picture(rows, narrow), overlaid.CAPTION)])]


def _places(rows: Sequence[Row]) -> list[tuple[str, Sequence[Finding]]]:
    """Return the warnings and errors by cell and side; the first side of a cell is named once."""

    def gravity(each: Finding) -> tuple[int, float]:
        return GRAVITY[each.severity], -(each.value or 0.0)

    found = {f"{row.name}, {side}": sorted(each, key=gravity) for row in rows for side, each in row.doubts}
    return list(found.items())
