"""The course's table, as rows of text that terminal, Markdown and HTML share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from iolab.analysis import Analysis
from iolab.findings import GRAVITY
from iolab.records import Cell
from iolab.report import words


@dataclass(frozen=True)
class Column:
    """A column: its heading and the text of a cell in it."""

    heading: str
    text: Callable[[Cell], str]
    numeric: bool = True
    brief: Callable[[Cell], str] | None = None  # where there is little room
    always: bool = True  # else left out there


def columns(analysis: Analysis) -> Sequence[Column]:
    """Return the table's columns; the CPU limit is one of them where it varies."""
    return (
        Column("Model", _name, numeric=False, brief=lambda cell: f"{cell.model} {cell.service}"),
        Column("Users", lambda cell: str(cell.concurrency)),
        *_limit(analysis),
        Column("Median", lambda cell: words.milliseconds(cell.median_ms)),
        Column("Predicted", lambda cell: words.milliseconds(cell.predicted_median_ms)),
        Column("p95", lambda cell: words.tail(cell.p95_ms, cell)),
        Column("p99", lambda cell: words.tail(cell.p99_ms, cell)),
        Column("Slowest", lambda cell: words.milliseconds(cell.max_ms), always=False),
        Column("Throughput", lambda cell: words.rate(cell.throughput_rps)),
        Column("Predicted", lambda cell: words.rate(cell.predicted_throughput_rps), always=False),
        Column("OK", lambda cell: f"{cell.ok}/{cell.requested}", always=False),
    )


def resources(analysis: Analysis) -> Sequence[Column]:
    """Return the columns of what servers and load generator used."""
    return (
        Column("Model", _name, numeric=False),
        Column("Users", lambda cell: str(cell.concurrency)),
        *_limit(analysis),
        Column(f"Median, {words.spread(analysis)}", words.interval),
        Column("Server CPU", lambda cell: words.seconds(cell.server.cpu_s)),
        Column("Throttled", lambda cell: words.seconds(cell.server.throttled_s)),
        Column("Threads", lambda cell: words.count(cell.server.threads_peak)),
        Column("Memory", lambda cell: words.megabytes(cell.server.rss_peak_bytes)),
        Column("Listen overflows", lambda cell: words.count(cell.server.listen_overflows)),
        Column("Client CPU", lambda cell: words.seconds(cell.client.cpu_s)),
    )


def _limit(analysis: Analysis) -> list[Column]:
    return [Column("CPUs", lambda cell: f"{cell.cpus:g}")] if len(analysis.experiment.cpus) > 1 else []


def _name(cell: Cell) -> str:
    return f"{cell.model}  {cell.title}"


def grouped_findings(cells: Sequence[Cell]) -> list[tuple[str, str, str, str]]:
    """Return (severity, where, message, remedy) of all findings; one that many cells share is said once."""
    several = len({cell.cpus for cell in cells}) > 1
    places: dict[tuple[str, str, str], list[str]] = {}
    for cell in cells:
        for finding in cell.findings:
            key = (finding.severity, finding.message, finding.remedy)
            places.setdefault(key, []).append(_place(cell, several=several))
    everywhere = len(cells)
    return sorted(
        (
            (
                severity,
                "every cell" if len(where) == everywhere > 1 else ", ".join(dict.fromkeys(where)),
                message,
                remedy,
            )
            for (severity, message, remedy), where in places.items()
        ),
        key=lambda row: GRAVITY[row[0]],
    )


def _place(cell: Cell, *, several: bool) -> str:
    return f"{cell.model} at c = {cell.concurrency}" + (f", {cell.cpus:g} CPU" if several else "")
