"""Two runs compared, and the parts of one cell's median, in the terminal."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.compare import THROUGHPUT, Comparison
from iolab.kinds.closed.crosscheck import CellName, Told
from iolab.kinds.closed.crosscheck import verdict as verdict_of
from iolab.kinds.closed.explain import Part
from iolab.kinds.closed.records import Cell
from iolab.report import doubts, numbers, two_runs
from iolab.report.answers import measured, unanswered
from iolab.report.brief import MOST, rich_table, show_findings
from iolab.report.document import Column, Document, Figure, Section, Sentences, Table, plain, table
from iolab.report.doubts import condensed
from iolab.report.terminal import INVALID, show_differences, show_not_valid
from iolab.results.folder import RunFolder
from iolab.results.records import Finding

OVERLAID = (
    "The share of requests that were answered within a time. The broad grey line is the first run, the coloured one the"
    " second; where they lie over each other, the runs agree."
)
HOW = (
    "The interval of a ratio is a bootstrap of the repeats of both runs. It says what chance within the two runs does,"
    " not what differs from run to run."
)
FIGURES: Sequence[tuple[str, Callable[[Cell], float | None], Callable[[Cell], str]]] = (
    ("median", lambda cell: cell.median_ms, lambda cell: numbers.milliseconds(cell.median_ms)),
    ("p95", lambda cell: cell.p95_ms, lambda cell: numbers.milliseconds(cell.p95_ms)),
    ("p99", lambda cell: cell.p99_ms, lambda cell: numbers.milliseconds(cell.p99_ms)),
    ("throughput", lambda cell: cell.steady_rps, lambda cell: numbers.rate(cell.steady_rps)),
)
SHORT = {"no difference shown": "same?", "too few repeats to tell": "too few"}  # where there is little room
UNCLEAR = ("mixed", "suspect")
WORDS = {(False, True): "shorter", (False, False): "longer", (True, True): "higher", (True, False): "lower"}


def _table(found: Sequence[Comparison]) -> Table:
    """Return a row for each cell: both medians, their ratio with its interval, and what all figures together say."""
    several = len({each.first.cell.cpus for each in found}) > 1
    varied = len({each.first.cell.variant for each in found}) > 1
    columns = [
        Column[Comparison](
            "Cell",
            lambda each: f"{_cell(each.first.cell)}{f' {INVALID}' if each.not_valid else ''}, {each.first.cell.title}",
            numeric=False,
            shorten=lambda text: text.partition(",")[0],
        ),
        *([Column[Comparison]("CPUs", lambda each: f"{each.first.cell.cpus:g}")] if several else []),
        *([Column[Comparison]("Variant", lambda each: each.first.cell.variant, numeric=False)] if varied else []),
        Column[Comparison]("First", lambda each: numbers.milliseconds(each.first.cell.median_ms)),
        Column[Comparison]("Second", lambda each: numbers.milliseconds(each.second.cell.median_ms)),
        Column[Comparison]("Ratio", lambda each: _ratio(each.first.cell.median_ms, each.second.cell.median_ms)),
        Column[Comparison](
            "95% interval", _interval, bold=True, short="Interval", shorten=lambda text: text.replace(" to ", "-")
        ),
        Column[Comparison]("p99 ratio", lambda each: _ratio(each.first.cell.p99_ms, each.second.cell.p99_ms), rank=2),
        Column[Comparison](
            "Rate ratio", lambda each: _ratio(each.first.cell.steady_rps, each.second.cell.steady_rps), rank=1
        ),
        Column[Comparison](
            "Verdict",
            lambda each: each.verdict,
            numeric=False,
            shorten=(lambda text: SHORT.get(text, text)) if several or varied else None,
        ),
    ]
    return table(columns, found, marked=lambda each: bool(each.not_valid))


def page(
    folders: tuple[RunFolder, RunFolder],
    found: Sequence[Comparison],
    differences: Sequence[tuple[str, str, str]],
    *,
    hide: bool = False,
) -> Document:
    """Return the page: the table, every figure, the distributions over each other, and the findings of both runs."""
    from iolab.kinds.closed import overlaid  # noqa: PLC0415 (it draws)

    unclear = [f"{_name(each.first.cell)}, {each.verdict}: {_changes(each)}." for each in found if each.changes]
    figures = [
        [
            _name(each.first.cell),
            name,
            text(each.first.cell),
            text(each.second.cell),
            _ratio(number(each.first.cell), number(each.second.cell)),
        ]
        for each in found
        for name, number, text in FIGURES
    ]
    answer = [
        Section("Median of each cell", [_table(found), Sentences(unclear)]),
        Section("Distributions", [Figure(lambda narrow: overlaid.picture(found, narrow), OVERLAID)]),
        Section("Every figure", [plain(("Cell", "Figure", "First", "Second", "Ratio"), figures, text=2)]),
    ]
    shown = two_runs.page(folders, answer, _doubts(found), differences, method=[HOW], verdict=_verdict(found))
    return unanswered(shown) if hide else shown


def _verdict(found: Sequence[Comparison]) -> str:
    """Say how many cells differ, and which way; what is not shown to differ is not said to be the same."""
    counts = Counter(each.verdict for each in found)
    parts = [f"{numbers.counted(count, 'cell')}: {verdict}" for verdict, count in counts.most_common()]
    return f"{'; '.join(parts)}." if parts else ""


def show(
    console: Console, found: Sequence[Comparison], differences: Sequence[tuple[str, str, str]], *, hide: bool = False
) -> None:
    """Print one row a cell, what differs in cells without a plain verdict, the findings, and other settings."""
    console.print(rich_table(_table(found), console.width, "Median of each cell"))
    for each in found:
        if each.verdict in UNCLEAR:
            console.print(f"{_name(each.first.cell)}, {each.verdict}: {_changes(each)}.", markup=False, highlight=False)
    findings = condensed(doubts.found(_doubts(found), "every cell"), MOST)
    show_findings(console, measured(findings) if hide else findings)
    show_not_valid(console, [(_name(each.first.cell), each.not_valid) for each in found])
    show_differences(console, differences)


def _cell(cell: Cell) -> str:
    """Return a cell's model and users, as CELL= names them: C16."""
    return f"{cell.model}{cell.concurrency}"


def _name(cell: Cell) -> str:
    limit = f"{cell.cpus:g} CPU"
    return ", ".join(filter(None, [_cell(cell), limit, cell.variant]))


def _changes(each: Comparison) -> str:
    """Return "median shorter (0.430 to 0.440 times), p99 longer (...)"."""
    return ", ".join(
        f"{name} {WORDS[name == THROUGHPUT, better]} ({low:.3f} to {high:.3f} times)"
        for name, better, (low, high) in each.changes
    )


def _doubts(found: Sequence[Comparison]) -> list[tuple[str, Sequence[Finding]]]:
    return [(f"{_name(each.first.cell)}, {run} run", findings) for each in found for run, findings in each.doubts]


def _ratio(first: float | None, second: float | None) -> str:
    return f"{second / first:.3f}" if first and second else numbers.NOT_KNOWN


def _interval(each: Comparison) -> str:
    if each.interval is None:
        return numbers.NOT_KNOWN
    return f"{each.interval[0]:.3f} to {each.interval[1]:.3f}"


def show_budget(console: Console, analysis: Analysis, cell: Cell, parts: Sequence[Part]) -> None:
    """Print the parts of a cell's median."""
    console.print(
        f"{cell.model}, {cell.title}, {numbers.users(cell.concurrency)}{words.condition(cell, analysis, before=', ')}:"
        f" median {numbers.milliseconds(cell.median_ms)}",
        markup=False,
        style="bold",
        highlight=False,
    )
    rows = [[f"{part.ms:.2f} ms", part.what, part.known] for part in parts]
    console.print(rich_table(plain(("Time", "Part", "How it is known"), rows, text=3), console.width))


def show_crosscheck(console: Console, told: Mapping[str, Mapping[CellName, Told]], lacks: str) -> None:
    """Print what is missing, the median of each cell by each load generator, whether they agree, and what to doubt."""
    if lacks:
        console.print(lacks, style="bold red", markup=False, highlight=False, soft_wrap=True)
    cells = dict.fromkeys(key for found in told.values() for key in found)
    rows = []
    for model, users in cells:
        found = {name: each[model, users] for name, each in told.items() if (model, users) in each}
        medians = [f"{found[name].median_ms:.2f} ms" if name in found else numbers.NOT_KNOWN for name in told]
        rows.append([f"{model} with {users}", *medians])
    console.print(rich_table(plain(("Cell", *told), rows), console.width, "Median of each load generator"))
    for model, users in cells:
        found = {name: each[model, users] for name, each in told.items() if (model, users) in each}
        console.print(f"{model} with {numbers.users(users)}: {verdict_of(found)}.", markup=False, highlight=False)
    level, why = crosscheck_trust(told)
    console.print(f"Trust: {level}. {why}", markup=False, highlight=False)
    show_findings(console, condensed(doubts.found(_places(told), "every cell"), MOST))


def crosscheck_trust(told: Mapping[str, Mapping[CellName, Told]]) -> doubts.Trust:
    """Return how far the medians of a crosscheck can be believed."""
    return doubts.trust(_places(told), "cell")


def _places(told: Mapping[str, Mapping[CellName, Told]]) -> list[tuple[str, Sequence[Finding]]]:
    return [
        (f"{model} with {numbers.users(users)} by {name}", one.findings)
        for name, cells in told.items()
        for (model, users), one in cells.items()
    ]
