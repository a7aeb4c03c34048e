"""`iolab break`: what blocks the loop blocks everyone, and what it is."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options
from iolab.cli_run import measured, planned
from iolab.kinds.breaking.settings import BreakExperiment
from iolab.runtime.choice import Wanted


@click.command(name="break")
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file.  [default: experiments/break.toml]",
)
@click.option("--cpus", envvar="CPUS", type=float, help="CPUs that a server may use.  [default: 2]")
@click.option("--users", envvar="USERS", type=click.IntRange(1, 1000), help="Users at once.  [default: 16]")
@options.runtime
@options.results
@options.resume
def broken(  # noqa: PLR0917 (each is an option of the command line)
    path: Path | None,
    cpus: float | None,
    users: int | None,
    runtime: Wanted,
    results: Path | None,
    resume: Path | None,
) -> int:
    """Break an event loop by work that blocks, and find the culprit."""
    changes: dict[str, Any] = {"cpus": [cpus]} if cpus is not None else {}
    changes |= {"concurrency": [users]} if users is not None else {}
    return measured(Console(), planned("break", path, changes, BreakExperiment, resume), runtime, results)
