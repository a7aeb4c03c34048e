"""The command `iolab faults`: what goes wrong with a crowd and its server, one thing after the other."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options
from iolab.chat.settings import MOST_USERS
from iolab.cli_run import measured, planned
from iolab.kinds.faults.settings import FaultsExperiment
from iolab.runtime.choice import Wanted


@click.command(name="faults")
@click.option("--models", "model", envvar="MODELS", help="One server, by letter or name.  [default: C]")
@click.option(
    "--users", envvar="USERS", type=click.IntRange(10, MOST_USERS), help="How many are there.  [default: 1,000]"
)
@click.option(
    "--transport",
    envvar="TRANSPORT",
    type=click.Choice(["websocket", "poll"]),
    help="How they stay.  [default: websocket, where the server speaks it]",
)
@click.option("--cpus", envvar="CPUS", type=float, help="CPUs that the server may use.  [default: 1]")
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file of this kind.  [default: experiments/faults.toml]",
)
@options.runtime
@options.results
def faults_command(path: Path | None, runtime: Wanted, results: Path | None, **given: Any) -> int:
    """Let things go wrong with a crowd: users vanish, flood, or do not read; the server is killed."""
    return measured(Console(), planned("faults", path, _changes(given), FaultsExperiment), runtime, results)


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, as changes to an experiment's TOML."""
    crowd: dict[str, Any] = {}
    if given["users"] is not None:
        crowd["levels"] = [given["users"]]
    if given["transport"] is not None:
        crowd["transports"] = [given["transport"]]
    changes: dict[str, Any] = {"crowd": crowd} if crowd else {}
    if given["model"]:
        changes["models"] = [given["model"]]
    if given["cpus"] is not None:
        changes["cpus"] = [given["cpus"]]
    return changes
