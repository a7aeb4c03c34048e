"""Prints what queueing theory says of a server: a table, and a sentence for each part."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from iolab.report import document, numbers
from iolab.report.brief import rich_table
from iolab.report.document import Column
from iolab.theory.calculator import Closed, ObjectiveResult, Open, Server
from iolab.theory.capacity import MOST_WORKERS

DIGITS, MOST_DIGITS = 4, 17  # of a number; the most tell any two apart


@dataclass(frozen=True)
class Answer:
    """The parts that were asked for; None: not asked for."""

    server: Server
    closed: Closed | None
    open: Open | None
    objective: ObjectiveResult | None


def significant(value: float, digits: int = DIGITS) -> str:
    """Return a number with four significant digits, and no power of ten: 27.42, 1,235, 0.05128."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    if value < 1e-4:
        return f"{value:.{digits - 3}e}"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(value)))}f}"


def rate(value_rps: float, *others_rps: float | None) -> str:
    """Return a rate, with as many digits as tell it from other rates that are shown beside it."""
    others = [each for each in others_rps if each is not None and each != value_rps]
    for digits in range(DIGITS, MOST_DIGITS):
        text = significant(value_rps, digits)
        if text not in [significant(each, digits) for each in others]:
            return f"{text}/s"
    return f"{significant(value_rps, MOST_DIGITS)}/s"


def time(value_ms: float | None) -> str:
    """Return a time, in seconds where it is long."""
    if value_ms is None:
        return numbers.NOT_KNOWN
    return f"{significant(value_ms / 1000)} s" if value_ms >= 1000 else f"{significant(value_ms)} ms"


def show(console: Console, answer: Answer) -> None:
    """Print the answer."""
    console.print(_title(answer.server), style="bold", highlight=False)
    rows = [each for each in (answer.open, answer.closed) if each]
    if rows:
        console.print(rich_table(document.table(COLUMNS, rows), console.width))
    for text in _sentences(answer):
        console.print(f"- {text}", markup=False, highlight=False)


def _title(server: Server) -> str:
    workers = "any number of workers" if math.isinf(server.workers) else numbers.counted(int(server.workers), "worker")
    mean = " on average" if server.wait_distribution == "exponential" else ""
    return f"Theory of {workers} with {server.wait_distribution} service times of {time(server.service_ms)}{mean}"


def _load(row: Open | Closed) -> str:
    if not isinstance(row, Open):
        return f"{numbers.users(row.users)}, closed"
    short = rate(row.rate_rps)
    return f"{short}, open" if short == _arrivals(row) else "open"  # a long one stands beside it, once


def _arrivals(row: Open) -> str:
    return rate(row.rate_rps, row.unstable_at_rps)


def _of_open(name: str) -> "Column[Open | Closed]":
    key = f"{name.replace('.', '_')}_ms"
    return Column(name, lambda row: time(getattr(row, key, None)), rank=name == "p99.9")


COLUMNS: list[Column[Open | Closed]] = [
    Column("Load", _load, numeric=False),
    Column(
        "Throughput", lambda row: _arrivals(row) if isinstance(row, Open) else rate(row.throughput_rps), short="Rate"
    ),
    Column("Utilisation", lambda row: numbers.utilisation(row.utilisation), short="Util."),
    Column("Waiting", lambda row: significant(row.mean_queue_length), rank=2),
    Column("Mean", lambda row: time(row.mean_ms), bold=True),
    *(_of_open(name) for name in ("p50", "p95", "p99", "p99.9")),
]


def _sentences(answer: Answer) -> Iterator[str]:
    if answer.open:
        yield _of_arrivals(answer.open)
    if answer.closed:
        yield _of_users(answer.server, answer.closed)
    if answer.objective:
        yield from _of_objective(answer.server, answer.objective, answer.open)


def _of_arrivals(found: Open) -> str:
    if found.unstable_at_rps is None:
        return f"Open loop ({found.queue}): any number of requests is served at once, so no request waits at any rate."
    return (
        f"Open loop ({found.queue}): {numbers.utilisation(found.waits)} of the requests wait;"
        f" {significant(found.mean_queue_length)} are waiting on average. From"
        f" {rate(found.unstable_at_rps, found.rate_rps)} on"
        " the queue grows without bound."
    )


def _of_users(server: Server, found: Closed) -> str:
    if found.mean_queue_length:
        return (
            f"Closed loop: {found.users:,} users keep all workers busy, and {found.mean_queue_length:,.0f} of their"
            " requests wait at any time. With more users responses take longer, and the throughput stays."
        )
    spare = "" if found.users == server.workers else " With more users the throughput grows; responses take as long."
    return f"Closed loop: every user has a worker, so no request waits.{spare}"


def _of_objective(server: Server, found: ObjectiveResult, given: Open | None) -> Iterator[str]:
    if found.highest_rps is None:
        yield f"{found.objective} holds at any rate."
    else:
        workers = numbers.counted(int(server.workers), "worker")
        highest = rate(found.highest_rps, server.unstable_at_rps, given.rate_rps if given else None)
        yield (
            f"With {workers}, {found.objective} holds up to {highest}, which is"
            f" {numbers.utilisation(found.utilisation)} utilisation."
        )
    if given:
        needed = found.workers_needed
        needs = f"more than {MOST_WORKERS:,} workers" if needed is None else numbers.counted(needed, "worker")
        name = found.objective.partition("<")[0].strip()
        state = "holds" if found.holds else "does not hold"
        yield (
            f"At {rate(given.rate_rps, given.unstable_at_rps, found.highest_rps)}"
            f" the {name} is {time(found.value_ms)}, so the objective {state};"
            f" at this rate it needs {needs}."
        )
