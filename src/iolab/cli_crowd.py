"""The command `iolab crowd`: thousands of users that mostly wait, on one chat server after the other."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options
from iolab.chat.settings import MOST_USERS
from iolab.cli_run import measured, planned
from iolab.kinds.crowd.settings import CrowdExperiment
from iolab.options import Words
from iolab.runtime.choice import Wanted


@click.command(name="crowd")
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file of this kind.  [default: experiments/crowd.toml]",
)
@options.models
@click.option(
    "--users",
    "levels",
    envvar="USERS",
    type=Words("LIST", int, "whole numbers, such as 100,1000,10000"),
    help=f"How many come, up to {MOST_USERS:,}.  [default: 100, 1,000, 10,000, then as many as can]",
)
@click.option(
    "--transport",
    "transports",
    envvar="TRANSPORT",
    type=click.Choice(["websocket", "poll"]),
    help="Only servers that speak it.",
)
@click.option("--processes", envvar="PROCESSES", type=int, help="Processes of a server that can be several.")
@click.option("--cpus", envvar="CPUS", type=float, help="CPUs that a server may use.  [default: 1]")
@click.option("--threads", envvar="THREADS", type=int, help="Threads in the pool.")
@click.option(
    "--freeze-collector", envvar="GC_FREEZE", type=bool, help="Keep Python's collector off the users that stay."
)
@click.option("--seed", envvar="SEED", type=int, help="Of the clicks.")
@options.runtime
@options.results
@options.resume
def crowd_command(path: Path | None, runtime: Wanted, results: Path | None, resume: Path | None, **given: Any) -> int:
    """Let users connect to a chat server of each model, stay, and now and then click: how many does it hold?"""
    return measured(Console(), planned("crowd", path, _changes(given), CrowdExperiment, resume), runtime, results)


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, as changes to an experiment's TOML."""
    given = {name: value for name, value in given.items() if value is not None}
    table: dict[str, Any] = {}
    table |= {name: given.pop(name) for name in ("levels", "processes", "freeze_collector") if name in given}
    if "levels" in table:
        table["most"] = 0
    if "transports" in given:
        table["transports"] = [given.pop("transports")]
    changes: dict[str, Any] = {"crowd": table} if table else {}
    if "threads" in given:
        changes["server"] = {"threads": given.pop("threads")}
    if "cpus" in given:
        changes["cpus"] = [given.pop("cpus")]
    return {**given, **changes}
