"""Two runs compared, as a page: the same for every kind, but for the tables and figures of its cells."""

from collections.abc import Sequence

from iolab.findings import by_gravity
from iolab.report import doubts, numbers, run_report
from iolab.report.compare import Cell, Compared, in_both, name_of
from iolab.report.document import Column, Document, Section, Table, plain, table
from iolab.report.terminal import INVALID, compared_value
from iolab.results.folder import RunFolder
from iolab.results.records import Finding


def page(
    folders: tuple[RunFolder, RunFolder],
    answer: Sequence[Section],
    findings: doubts.Places,
    differences: Sequence[tuple[str, str, str]],
    *,
    method: Sequence[str],
    verdict: str = "",
) -> Document:
    """Return the page of two runs: `answer` compares their cells, `findings` are those that both bring along."""
    runs = [folder.read_run() for folder in folders]
    named = [
        f"{folder.path.name} ({run.started:%Y-%m-%d %H:%M} UTC, {run.status})"
        for folder, run in zip(folders, runs, strict=True)
    ]
    places = list(findings)
    other = plain(("Setting", "First", "Second"), differences, text=3)
    paths = " ".join(str(folder.path) for folder in folders)
    return Document(
        question="What differs between these two runs?",
        verdict=verdict,
        trust=doubts.trust(places, "compared cell"),
        about=f"First: {named[0]}. Second: {named[1]}. Ratios are second / first.",
        lacks=lacking(folders),
        answer=[*answer, Section("What else differs", [other])] if differences else answer,
        expected=(),
        findings=doubts.found(places, "every compared cell"),
        details=(),
        method=method,
        facts=(),
        raw=f"The raw data are in the two run folders. make compare RUNS='{paths}' prints this comparison.",
    )


def lacking(folders: tuple[RunFolder, RunFolder]) -> str:
    """Return what two runs lack that are not whole; "" if both are."""
    missing = [run_report.what_is_missing(folder.read_run(), folder.count_trials()) for folder in folders]
    return " ".join(f"{which}: {text}" for which, text in zip(("First", "Second"), missing, strict=True) if text)


def of_figures(found: Sequence[Compared]) -> Table:
    """Return a table with a row for each figure of each cell."""
    columns = [
        Column[Compared]("Cell", lambda each: f"{each.cell} {INVALID}" if each.not_valid else each.cell, numeric=False),
        Column[Compared]("Figure", lambda each: each.metric.replace("_", " ").replace(".", " "), numeric=False),
        Column[Compared]("First", lambda each: compared_value(each.first)),
        Column[Compared]("Second", lambda each: compared_value(each.second)),
        Column[Compared](
            "Ratio", lambda each: numbers.NOT_KNOWN if each.ratio is None else f"{each.ratio:.3f}", bold=True
        ),
    ]
    return table(columns, found, marked=lambda each: bool(each.not_valid), group=lambda each: each.cell)


def inherited(first: Sequence[Cell], second: Sequence[Cell], key: Sequence[str]) -> list[tuple[str, list[Finding]]]:
    """Return the warnings and errors of all cells that both runs have, by cell and run."""
    return [
        (f"{name_of(cell, key)}, {run} run", _findings(one))
        for cell, other in in_both(first, second, key)
        for run, one in (("first", cell), ("second", other))
    ]


def _findings(cell: Cell) -> list[Finding]:
    there = [Finding.model_validate(each) for each in cell.get("findings", ())]
    return [each for each in by_gravity(there) if each.severity != "note"]
