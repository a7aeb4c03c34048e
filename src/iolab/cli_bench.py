"""`iolab bench`: measures servers in a closed loop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options
from iolab.cli_run import measured, planned
from iolab.experiment import ServerSettings
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.options import Share, Span, Words
from iolab.runtime.choice import Wanted


@click.command()
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file.  [default: experiments/bench.toml]",
)
@click.option(
    "--cpus",
    envvar="CPUS",
    type=Words("LIST", float, "a number above 0, such as 0.25, 1 or 2"),
    help="CPUs that a server may use.",
)
@options.models
@click.option(
    "--concurrency", envvar="CONCURRENCY", type=Words("LIST", int, "whole numbers, such as 4,16"), help="Users at once."
)
@click.option("--requests", envvar="REQUESTS", type=int, help="Requests a trial.")
@click.option("--repeats", envvar="REPEATS", type=int, help="Trials a cell.")
@click.option(
    "--precision", envvar="PRECISION", type=Share(), help="Add rounds until every median is known so well, such as 3%."
)
@click.option("--budget", "budget_s", envvar="BUDGET", type=Span(), help="The time for that.  [default: 10m]")
@click.option("--seed", envvar="SEED", type=int, help="Of the order of the trials.")
@click.option("--loadgen", envvar="LOADGEN", type=click.Choice(["auto", "hey", "locust"]), help="What makes the load.")
@options.runtime
@options.wait_ms
@click.option(
    "--wait-distribution",
    envvar="WAIT_DISTRIBUTION",
    type=click.Choice(["constant", "exponential"]),
    help="Of the wait.",
)
@click.option("--cpu-ms", envvar="CPU_MS", type=float, help="The computing in a request.")
@click.option("--backlog", envvar="BACKLOG", type=int, help="Length of the listen queue; each server's own otherwise.")
@click.option("--threads", envvar="THREADS", type=int, help="Threads in the pool.")
@options.results
@options.resume
def bench(path: Path | None, runtime: Wanted, results: Path | None, resume: Path | None, **given: Any) -> int:
    """Measure the servers, and write a report.

    Every option can be given to make: `make bench CPUS=2 MODELS=asyncio`.
    """
    return measured(Console(), planned("bench", path, _changes(given), ClosedExperiment, resume), runtime, results)


def _changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, as changes to an experiment's TOML."""
    given = {name: value for name, value in given.items() if value is not None}
    server = {name: given.pop(name) for name in ServerSettings.model_fields if name in given}
    load = {key: given.pop(name) for name, key in (("requests", "requests"), ("loadgen", "generator")) if name in given}
    return {**given, **({"server": server} if server else {}), **({"load": load} if load else {})}
