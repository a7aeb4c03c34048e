"""The command `iolab theory`: what queueing theory says of a server, without starting one."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, get_args

import click

from iolab.cli import output, parameters
from iolab.cli.console import Console
from iolab.errors import UsageError
from iolab.kinds.slo.objective import Objective
from iolab.options import Word, choice
from iolab.report import theory_terminal
from iolab.theory.calculator import Server, closed, objective_result, open_loop
from iolab.theory.capacity import MOST_WORKERS, Bound, Distribution

LEAST, MOST_RPS, MOST_MS, MOST_USERS = 1e-6, 1e9, 8.64e7, 1_000_000_000


def _between(least: float, most: float) -> Word:
    def read(text: str) -> float:
        value = float(_digits(text))
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return Word("NUMBER", read, f"a number from {least:f} to {most:,.0f}")


def _digits(text: str) -> str:
    """Return a text as it is; raises ValueError for digits that only Python reads as a number, such as 1_0."""
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    return text


def _whole(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(_digits(text))
        if not 1 <= value <= most:
            raise ValueError(text)
        return value

    return read


def _workers(text: str) -> float:
    return math.inf if text == "inf" else _whole(MOST_WORKERS)(text)


USERS = Word("INTEGER", _whole(MOST_USERS), f"a whole number from 1 to {MOST_USERS:,}")
WORKERS = Word("INTEGER", _workers, f"a whole number from 1 to {MOST_WORKERS:,}, or inf")


@click.command()
@click.option(
    "--rate",
    "rate_rps",
    envvar="RATE",
    type=parameters.Value(_between(LEAST, MOST_RPS)),
    help="Arrivals a second: open loop.",
)
@click.option("--users", envvar="USERS", type=parameters.Value(USERS), help="Users at once: closed loop.")
@click.option("--slo", envvar="SLO", help="An objective: p50, p95, p99, p99.9 or mean below a time in ms or s.")
@click.option(
    "--service-ms",
    envvar="SERVICE_MS",
    type=parameters.Value(_between(LEAST, MOST_MS)),
    default="20",
    show_default=True,
    help="Mean service time in ms.",
)
@click.option(
    "--workers",
    envvar="WORKERS",
    type=parameters.Value(WORKERS),
    default="1",
    show_default=True,
    help="Requests that are served at once; inf for any number.",
)
@click.option(
    "--wait-distribution",
    envvar="WAIT_DISTRIBUTION",
    type=parameters.Value(choice(get_args(Distribution))),
    default="constant",
    show_default=True,
    help="Distribution of the service time.",
)
@click.option("--json", "as_object", envvar="JSON", is_flag=True, help="Print one JSON object instead of the table.")
def theory(
    *,
    rate_rps: float | None,
    users: int | None,
    slo: str | None,
    service_ms: float,
    workers: float,
    wait_distribution: Distribution,
    as_object: bool,
) -> int:
    """Compute throughput and response times by queueing theory: of RATE arrivals a second, of USERS users, of an SLO.

    No server is started. The figures are exact: M/D/c or M/M/c for arrivals that do not wait for responses, and a
    closed loop for users that do. With an SLO, the rate at which it breaks; with RATE too, the workers that it needs.
    """
    server = Server(service_ms, workers, wait_distribution)
    if rate_rps is None and users is None and not slo:
        raise UsageError("nothing to compute: give RATE, USERS or SLO, such as make theory RATE=27")
    objective = Objective.parse(slo) if slo else None
    bound = Bound(objective.quantile, objective.limit_s, wait_distribution, service_ms / 1000) if objective else None
    try:
        if bound:
            bound.check()
        if rate_rps is not None and server.utilisation(rate_rps) >= 1:
            raise UsageError(_unstable(server, rate_rps, objective, bound))
        wanted = objective_result(server, objective.text, bound, rate_rps) if objective and bound else None
    except ValueError as error:
        raise UsageError(f"SLO={slo}: {error}") from None
    answer = theory_terminal.Answer(
        server,
        None if users is None else closed(server, users),
        None if rate_rps is None else open_loop(server, rate_rps),
        wanted,
    )
    if as_object:
        output.line(json.dumps(_plain(answer), indent=1))
    else:
        theory_terminal.show(Console(), answer)
    return 0


def _plain(answer: theory_terminal.Answer) -> dict[str, Any]:
    """Return the answer for a machine; null is what was not asked for, and any number of workers."""
    workers = answer.server.workers
    parts = {"closed": answer.closed, "open": answer.open, "slo": answer.objective}
    return {
        **asdict(answer.server),
        "workers": None if math.isinf(workers) else workers,
        **{name: asdict(part) if part else None for name, part in parts.items()},
    }


def _unstable(server: Server, rate_rps: float, objective: Objective | None, bound: Bound | None) -> str:
    """Say why a rate has no steady state, and what to use instead."""
    least: int | None = math.floor(rate_rps * server.service_ms / 1000) + 1
    why = " or more"
    if objective and bound:
        least, why = bound.least_workers(rate_rps), f", which {objective.text} needs"
    need = f"WORKERS={least}{why}" if least and least <= MOST_WORKERS else f"more than {MOST_WORKERS:,} workers"
    return (
        f"RATE={rate_rps:.12g}: unstable, utilisation {server.utilisation(rate_rps):.4g}: from"
        f" {theory_terminal.rate(server.unstable_at_rps, rate_rps)} on the queue grows without bound;"
        f" use a lower rate, or {need}"
    )
