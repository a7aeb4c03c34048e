"""The course's table, as rows of text that terminal, Markdown and HTML share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from iolab.findings import GRAVITY
from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.records import Cell
from iolab.report import numbers

BRIEF = 11  # letters of a model's name


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
    services = {analysis.experiment.settings(each).service_ms for each in analysis.experiment.variants}
    unit = f"x {min(services):g} ms" if len(services) == 1 else "x S"
    crowded = len(analysis.experiment.cpus) > 1 or bool(analysis.experiment.vary)
    return (
        Column(
            "Model",
            _name,
            numeric=False,
            brief=lambda cell: cell.model if crowded else f"{cell.model} {cell.service[:BRIEF]}",
        ),
        Column("Users", lambda cell: str(cell.concurrency), always=len(analysis.experiment.concurrency) > 1),
        *_limit(analysis),
        Column("Median", lambda cell: numbers.milliseconds(cell.median_ms)),
        Column(unit, words.services, always=not (crowded and len(services) > 1)),
        Column("Theory", lambda cell: numbers.milliseconds(cell.predicted_median_ms)),
        Column("off", lambda cell: numbers.off(cell.residual)),
        Column("p95", lambda cell: words.tail(cell.p95_ms, cell), always=not crowded),
        Column(
            "p99",
            lambda cell: words.tail(cell.p99_ms, cell),
            always=not crowded or any(each.cell.p99_ms is not None for each in analysis.cells),
        ),
        Column("Slowest", lambda cell: numbers.milliseconds(cell.max_ms), always=False),
        Column("Throttled", lambda cell: numbers.seconds(cell.server.throttled_s), always=_throttles(analysis)),
        Column("Rate", lambda cell: numbers.rate(cell.throughput_rps)),
        Column("Theory", lambda cell: numbers.rate(cell.predicted_throughput_rps), always=False),
        Column("off", lambda cell: numbers.off(cell.throughput_residual), always=False),
        Column("OK", lambda cell: f"{cell.ok}/{cell.requested}", always=False),
    )


def _throttles(analysis: Analysis) -> bool:
    """Say whether a limit is a fraction of a CPU: then what it held back belongs beside every number."""
    return any(limit != int(limit) for limit in analysis.experiment.cpus)


def resources(analysis: Analysis) -> Sequence[Column]:
    """Return the columns of what servers and load generator used."""
    return (
        Column("Model", _name, numeric=False),
        Column("Users", lambda cell: str(cell.concurrency)),
        *_limit(analysis),
        Column("Median, 95% interval", words.interval),
        Column("CPU a request", words.cpu_a_request),
        Column("Throttled", lambda cell: numbers.seconds(cell.server.throttled_s)),
        Column("Users by Little's law", lambda cell: numbers.mean_users(cell.users_under_way)),
        Column("Threads", lambda cell: numbers.count(cell.server.threads_peak)),
        Column("Memory", lambda cell: numbers.megabytes(cell.server.rss_peak_bytes)),
        Column("Listen overflows", lambda cell: numbers.count(cell.server.listen_overflows)),
        Column("Sent again", lambda cell: numbers.count(cell.client.syn_retransmits)),
        Column("Client's CPU a request", words.client_cpu_a_request),
    )


def _limit(analysis: Analysis) -> list[Column]:
    cpus = [Column("CPUs", lambda cell: f"{cell.cpus:g}")] if len(analysis.experiment.cpus) > 1 else []
    variant = [Column("Variant", lambda cell: cell.variant, numeric=False)] if analysis.experiment.vary else []
    return [*cpus, *variant]


def _name(cell: Cell) -> str:
    return f"{cell.model}  {cell.title}"


def grouped_findings(cells: Sequence[Cell]) -> list[tuple[str, str, str, str]]:
    """Return (severity, where, message, remedy) of all findings; one that many cells share is said once."""
    limits, variants = len({cell.cpus for cell in cells}) > 1, len({cell.variant for cell in cells}) > 1
    places: dict[tuple[str, str, str], list[str]] = {}
    for cell in cells:
        for finding in cell.findings:
            key = (finding.severity, finding.message, finding.remedy)
            places.setdefault(key, []).append(_place(cell, limits=limits, variants=variants))
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


def _place(cell: Cell, *, limits: bool, variants: bool) -> str:
    parts = [f"{cell.model} at c = {cell.concurrency}"]
    parts += [f"{cell.cpus:g} CPU"] if limits else []
    parts += [cell.variant] if variants else []
    return ", ".join(parts)
