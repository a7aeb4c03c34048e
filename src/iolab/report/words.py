"""Numbers as people read them, and the sentences that follow from them."""

import math
from collections.abc import Sequence

from iolab.analysis import Analysis
from iolab.records import Cell

FLAT, EXPLODED_TAIL, PROPORTIONAL = 1.25, 10.0, 0.75
NOT_KNOWN = "-"
TOO_FEW = "too few"
MANY_REPEATS = 6
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
    return NOT_KNOWN if value is None else f"{value:.0f}/s" if value >= 10 else f"{value:.2g}/s"


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


def verdict(cells: Sequence[Cell]) -> str:
    """Say in a word what more users do to a model's latency; `cells` are by rising concurrency.

    It explodes where the tail is more than EXPLODED_TAIL times the median; it grows with the users where the median
    does by three quarters or more of what they do; it stays flat where the median rises by less than a quarter; else
    it steps. The tail is the 99th percentile; where too few requests tell it, it is the slowest of a listen queue that
    overflowed. With a single number of users there is nothing to compare: the median is all that there is to say.
    """
    measured = [cell for cell in cells if cell.median_ms]
    if not measured:
        return "no result"
    first, last = measured[0], measured[-1]
    few, many = first.median_ms or math.nan, last.median_ms or math.nan
    if len(measured) < 2:
        return milliseconds(many)
    if (last.p99_ms or (last.max_ms if last.server.listen_overflows else None) or many) > EXPLODED_TAIL * many:
        return "explodes"
    if many < FLAT * few:
        return "stays flat"
    return "grows with the users" if many / few > PROPORTIONAL * last.concurrency / first.concurrency else "steps"


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
        return "The benchmark has not come to its end."
    if run.status != "complete":
        return (
            f"It was stopped after {run.wall_s:.1f} s, with {analysis.trials_done} of {run.trials_planned} trials done."
        )
    return (
        f"The requests take {run.theory_s:.1f} s in theory; measuring took {run.wall_s:.1f} s, starts and stops too"
        f" (allowed: 25% and 10 s more, {analysis.allowance_s:.1f} s)."
    )


def spread(analysis: Analysis) -> str:
    """Name the interval of a median: with fewer than six repeats it is no more than their range."""
    return "95% interval" if analysis.experiment.repeats >= MANY_REPEATS else "range of repeats"


def question(analysis: Analysis) -> str:
    """Return the experiment's question, with the numbers of this run."""
    experiment = analysis.experiment
    numbers = [str(number) for number in experiment.concurrency]
    listed = " and ".join([", ".join(numbers[:-1]), numbers[-1]] if len(numbers) > 1 else numbers)
    wait = f"{experiment.server.wait_ms:g}"
    return experiment.question.replace("{users}", listed).replace("{wait_ms}", wait)


def settings(analysis: Analysis) -> str:
    """Say what servers and load were set to."""
    server, load = analysis.experiment.server, analysis.experiment.load
    parts = [
        f"wait {server.wait_ms:g} ms {server.wait_distribution}",
        f"computing {server.cpu_ms:g} ms",
        f"listen queue {server.backlog or 'each server has by default'}",
        f"{server.threads} threads in the pool",
        f"{load.requests} requests a trial",
        "1 repeat" if analysis.experiment.repeats == 1 else f"{analysis.experiment.repeats} repeats",
    ]
    return "Settings: " + ", ".join(parts) + "."


def name(cells: Sequence[Cell], analysis: Analysis) -> str:
    """Name the model of a group of cells, with its CPU limit where that varies."""
    limit = f", {cells[0].cpus:g} CPU" if len(analysis.experiment.cpus) > 1 else ""
    return f"{cells[0].title}{limit}"


def prediction(analysis: Analysis) -> str:
    """Say how the prediction is made, in a sentence."""
    server = analysis.experiment.server
    if server.wait_distribution != "constant":
        return "No prediction is drawn: waits are random, and theory gives the mean of such a loop, not its median."
    bar = "The upright bar is the median that theory predicts for a closed loop:"
    service = f"S = {server.wait_ms + server.cpu_ms:g} ms"
    if not server.cpu_ms:
        return f"{bar} max(S, c x S / workers), with the service time {service}."
    return (
        f"{bar} max(S, c x S / workers, c x P / min(1, CPUs)), with the service time {service}"
        f" and P = {server.cpu_ms:g} ms of computing in it, one thread at a time."
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
