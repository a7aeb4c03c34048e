"""The commands `iolab queue` and `iolab slo`: planned arrivals, whether or not the server keeps up, beside theory."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options
from iolab.cli_run import measured, planned
from iolab.errors import UsageError
from iolab.kinds.open.settings import OpenExperiment
from iolab.kinds.slo.settings import SloExperiment
from iolab.options import Span, Words, share
from iolab.runtime.choice import Wanted


@click.command()
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file with [arrivals].  [default: experiments/queue.toml]",
)
@options.models
@click.option(
    "--utilisation",
    envvar="UTILISATION",
    type=Words("LIST", share, "shares below 1, such as 0.5,0.8 or 50%,80%"),
    help="Shares of the time that each worker is to be busy, for every model with a queue.",
)
@click.option("--duration", "duration_s", envvar="DURATION", type=Span(), help="Of each plan.  [default: 30s]")
@click.option(
    "--process",
    envvar="PROCESS",
    type=click.Choice(["poisson", "constant", "trace"]),
    help="Of the arrivals.  [default: poisson]",
)
@click.option("--trace", envvar="TRACE", type=click.Path(), help="A moment of arrival, in seconds, in each line.")
@click.option(
    "--wait-distribution",
    envvar="WAIT_DISTRIBUTION",
    type=click.Choice(["constant", "exponential"]),
    help="Only this one.  [default: both]",
)
@options.wait_ms
@click.option("--seed", envvar="SEED", type=int, help="Of arrivals, and of the order of the plans.")
@options.runtime
@options.results
@options.resume
@options.crew
def queue(
    path: Path | None,
    runtime: Wanted,
    results: Path | None,
    resume: Path | None,
    *,
    crew: dict[str, Any],
    **given: Any,
) -> int:
    """Send requests at rates that keep the servers busy, and set theory beside how long they take."""
    plan = planned("queue", path, _load(crew) | _queue_changes(given), OpenExperiment, resume)
    return measured(Console(), plan, runtime, results)


@click.command()
@click.argument("objective", envvar="SLO", required=False, metavar="SLO")
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file.  [default: experiments/slo.toml]",
)
@options.models
@options.wait_ms
@click.option(
    "--wait-distribution",
    envvar="WAIT_DISTRIBUTION",
    type=click.Choice(["constant", "exponential"]),
    help="Of the wait.  [default: constant]",
)
@click.option("--seed", envvar="SEED", type=int, help="Of the arrivals.")
@options.runtime
@options.results
@options.resume
@options.crew
def slo(
    path: Path | None,
    runtime: Wanted,
    results: Path | None,
    resume: Path | None,
    *,
    crew: dict[str, Any],
    **given: Any,
) -> int:
    """Find the highest rate of arrivals at which SLO, by default p99<100ms, holds, for each server."""
    plan = planned("slo", path, _load(crew) | _slo_changes(given), SloExperiment, resume)
    return measured(Console(), plan, runtime, results)


def _load(crew: dict[str, Any]) -> dict[str, Any]:
    return {"load": crew} if crew else {}


def _slo_changes(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, as changes to an experiment's TOML."""
    given = {name: value for name, value in given.items() if value is not None}
    server = {name: given.pop(name) for name in ("wait_ms", "wait_distribution") if name in given}
    return {**given, **({"server": server} if server else {})}


def _queue_changes(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, as changes to an experiment's TOML."""
    given = {name: value for name, value in given.items() if value is not None}
    arrivals: dict[str, Any] = {name: given.pop(name) for name in ("duration_s", "process", "trace") if name in given}
    if "trace" in arrivals:
        if arrivals.setdefault("process", "trace") != "trace":
            raise UsageError(
                f"TRACE={arrivals['trace']}: PROCESS={arrivals['process']} needs none; leave one of them out"
            )
    elif arrivals.get("process") == "trace":
        raise UsageError("PROCESS=trace: say which file, with TRACE=")
    if "utilisation" in given:
        arrivals["every_utilisation"] = given.pop("utilisation")
    changes: dict[str, Any] = {"arrivals": arrivals} if arrivals else {}
    if "wait_distribution" in given:
        wanted = given.pop("wait_distribution")
        changes["vary"] = [{"name": wanted, "wait_distribution": wanted}]
    if "wait_ms" in given:
        changes["server"] = {"wait_ms": given.pop("wait_ms")}
    return {**given, **changes}
