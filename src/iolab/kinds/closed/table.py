"""The tables of a closed loop: a row a cell."""

from collections.abc import Sequence

from iolab.kinds.closed import words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.records import Cell
from iolab.report import numbers
from iolab.report.document import Column
from iolab.results.records import Finding


def columns(analysis: Analysis) -> list[Column[Cell]]:
    """Return the columns of the main table; CPU limit and variant are among them where they vary."""
    services = {analysis.experiment.settings(each).service_ms for each in analysis.experiment.variants}
    unit = f"x {min(services):g} ms" if len(services) == 1 else "x S"
    return [
        _model(analysis),
        Column("Users", lambda cell: str(cell.concurrency), rank=0 if len(analysis.experiment.concurrency) > 1 else 3),
        *_condition(analysis),
        Column("Median", lambda cell: words.percentile(cell.median_ms, cell), bold=True),
        *([Column(unit, words.services, rank=3)] if analysis.experiment.predictable else []),
        Column(
            "Median, theory", lambda cell: numbers.milliseconds(cell.predicted_median_ms), short="Theory", answer=True
        ),
        Column("off", lambda cell: numbers.off(cell.residual), rank=2, answer=True),
        Column("p95", lambda cell: words.percentile(cell.p95_ms, cell), rank=4),
        Column("p99", lambda cell: words.percentile(cell.p99_ms, cell), rank=1),
        Column("Slowest", lambda cell: numbers.milliseconds(cell.max_ms), rank=5),
        Column(
            "Throttled", lambda cell: numbers.seconds(cell.server.throttled_s), rank=0 if _throttles(analysis) else 6
        ),
        Column("Rate", lambda cell: numbers.rate(cell.steady_rps)),
        Column("Rate, theory", lambda cell: numbers.rate(cell.predicted_throughput_rps), rank=7, answer=True),
        Column("off", lambda cell: numbers.off(cell.throughput_residual), rank=7, answer=True),
        Column("OK", lambda cell: f"{cell.ok}/{cell.requested}", rank=8),
    ]


def _throttles(analysis: Analysis) -> bool:
    """Return whether a limit is a fraction of a CPU: then the throttled time is always shown."""
    return any(limit != int(limit) for limit in analysis.experiment.cpus)


def resources(analysis: Analysis) -> list[Column[Cell]]:
    """Return the columns of resources, and of what the main table has no room for."""
    return [
        *named(analysis),
        Column("Utilisation", words.utilisation),
        Column("Rate, whole span", lambda cell: numbers.rate(cell.throughput_rps)),
        Column("CPU a request", words.cpu_a_request),
        Column("Throttled", lambda cell: numbers.seconds(cell.server.throttled_s)),
        Column("Users by Little's law", lambda cell: numbers.mean_users(cell.users_under_way)),
        Column("Threads", lambda cell: numbers.count(cell.server.threads_peak)),
        Column("Memory", lambda cell: numbers.memory(cell.server.rss_peak_bytes)),
        Column("Packets dropped (ListenOverflows)", lambda cell: numbers.count(cell.server.listen_overflows)),
        Column("Attempts sent again", lambda cell: numbers.count(cell.client.syn_retransmits)),
        Column("SYN cookies", lambda cell: numbers.count(cell.server.syn_cookies)),
        Column("Client's CPU a request", words.client_cpu_a_request),
    ]


def named(analysis: Analysis) -> list[Column[Cell]]:
    """Return the columns that name a cell."""
    return [_model(analysis), Column("Users", lambda cell: str(cell.concurrency)), *_condition(analysis)]


def _model(analysis: Analysis) -> Column[Cell]:
    """Return the column of names; with CPU limits or variants there is room for letters only."""
    crowded = len(analysis.experiment.cpus) > 1 or bool(analysis.experiment.vary)
    return Column(
        "Model",
        lambda cell: f"{cell.model}  {cell.title}",
        numeric=False,
        shorten=(lambda text: text.split()[0]) if crowded else None,
    )


def _condition(analysis: Analysis) -> list[Column[Cell]]:
    cpus = [Column[Cell]("CPUs", lambda cell: f"{cell.cpus:g}")] if len(analysis.experiment.cpus) > 1 else []
    variant = [Column[Cell]("Variant", lambda cell: cell.variant, numeric=False)] if analysis.experiment.vary else []
    return [*cpus, *variant]


def findings(cells: list[Cell]) -> list[tuple[str, Sequence[Finding]]]:
    """Return the findings of each cell with its name."""
    limits, variants = len({cell.cpus for cell in cells}) > 1, len({cell.variant for cell in cells}) > 1
    return [(_place(cell, limits=limits, variants=variants), cell.findings) for cell in cells]


def _place(cell: Cell, *, limits: bool, variants: bool) -> str:
    parts = [f"{cell.model} with {numbers.users(cell.concurrency)}"]
    parts += [f"{cell.cpus:g} CPU"] if limits else []
    parts += [cell.variant] if variants else []
    return ", ".join(parts)
