"""Numbers as people read them, and the sentences that follow from them."""

from collections.abc import Sequence
from typing import Literal

from iolab.analysis import Analysis
from iolab.records import Cell

Verdict = Literal["explodes", "steps", "stays flat", "no result"]

FLAT, EXPLODED_TAIL, EXPLODED_MEDIAN = 1.25, 10.0, 3.0
NOT_KNOWN = "-"
TOO_FEW = "too few"
PLACES = {"docker": "in Docker containers", "local": "as local processes"}


def milliseconds(value: float | None) -> str:
    """Return a latency with three digits that matter: 21.3 ms, 123 ms, 5.40 s."""
    if value is None:
        return NOT_KNOWN
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms"


def tail(value: float | None, cell: Cell) -> str:
    """Return a high percentile, or that there were too few requests to know it."""
    return milliseconds(value) if value is not None or not cell.ok else TOO_FEW


def rate(value: float | None) -> str:
    """Return a throughput in requests a second."""
    return NOT_KNOWN if value is None else f"{value:.0f}/s"


def megabytes(value: int | None) -> str:
    """Return an amount of memory."""
    return NOT_KNOWN if value is None else f"{value / 2**20:.0f} MiB"


def seconds(value: float | None) -> str:
    """Return a time span."""
    return NOT_KNOWN if value is None else f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def count(value: int | None) -> str:
    """Return a number of things."""
    return NOT_KNOWN if value is None else str(value)


def interval(cell: Cell) -> str:
    """Return the 95% interval of the median."""
    if cell.median_ci_ms is None:
        return NOT_KNOWN
    low, high = cell.median_ci_ms
    return (
        f"{milliseconds(low)} to {milliseconds(high)}" if milliseconds(low) != milliseconds(high) else milliseconds(low)
    )


def by_model(analysis: Analysis) -> list[list[Cell]]:
    """Return the cells of each model and CPU limit, by rising concurrency."""
    groups: dict[tuple[str, float], list[Cell]] = {}
    for analysed in analysis.cells:
        cell = analysed.cell
        groups.setdefault((cell.model, cell.cpus), []).append(cell)
    return [sorted(cells, key=lambda cell: cell.concurrency) for cells in groups.values()]


def verdict(cells: Sequence[Cell]) -> Verdict:
    """Say in a word what more users do to a model's latency; `cells` are by rising concurrency.

    It explodes where the 99th percentile (where that is not known: the slowest answer) is more than EXPLODED_TAIL
    times the median, or the median more than EXPLODED_MEDIAN times that with the fewest users; it stays flat where
    the median rises by less than a quarter; else it steps.
    """
    measured = [cell for cell in cells if cell.median_ms is not None]
    if not measured:
        return "no result"
    few, many = measured[0].median_ms or 0.0, measured[-1].median_ms or 0.0
    worst = measured[-1].p99_ms or measured[-1].max_ms or many
    if worst > EXPLODED_TAIL * many or many > EXPLODED_MEDIAN * few:
        return "explodes"
    return "stays flat" if many < FLAT * few else "steps"


def sentence(cells: Sequence[Cell]) -> str:
    """Say what was measured of one model, in the numbers of this run."""
    measured = [cell for cell in cells if cell.median_ms is not None]
    if not measured:
        return "No trial of it was valid; the findings say why."
    parts = [f"{milliseconds(cell.median_ms)} with {users(cell.concurrency)}" for cell in measured]
    text = "Median " + ", ".join(parts)
    last = measured[-1]
    if last.max_ms and last.median_ms and last.max_ms > EXPLODED_TAIL * last.median_ms:
        text += f"; the slowest answer took {milliseconds(last.max_ms)}"
    return text + "."


def users(number: int) -> str:
    """Return a number of users."""
    return "1 user" if number == 1 else f"{number} users"


def wall_time(analysis: Analysis) -> str:
    """Say how long the benchmark took beside what its requests take in theory."""
    run = analysis.run
    if run.wall_s is None:
        return "The benchmark did not come to its end."
    if run.status != "complete":
        return (
            f"It was stopped after {run.wall_s:.1f} s, with {analysis.trials_done} of {run.trials_planned} trials done."
        )
    return (
        f"The requests take {run.theory_s:.1f} s in theory; the benchmark took {run.wall_s:.1f} s"
        f" (allowed: 25% and 10 s more, {analysis.allowance_s:.1f} s)."
    )


def runtime(analysis: Analysis) -> str:
    """Say where the servers ran, and why there."""
    return f"Servers ran {PLACES[analysis.run.runtime]}: {analysis.run.runtime_reason}."


def cpu_plan(analysis: Analysis) -> str:
    """Say which cores served and which loaded."""
    lines = []
    for plan in analysis.run.cpu_plans:
        server, loadgen = (", ".join(map(str, cores)) for cores in (plan.server, plan.loadgen))
        lines.append(f"CPUS={plan.cpus:g}: servers on {cores(server)}, load generator on {cores(loadgen)}")
    return "; ".join(lines)


def cores(numbers: str) -> str:
    """Return core numbers with their noun."""
    return f"cores {numbers}" if "," in numbers else f"core {numbers}"
