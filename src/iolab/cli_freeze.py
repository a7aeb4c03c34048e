"""`iolab freeze`: coordinated omission, in numbers and in one picture."""

from pathlib import Path

import click
from rich.console import Console

from iolab import options
from iolab.cli_run import measured, planned
from iolab.kinds.freeze.settings import FreezeExperiment
from iolab.options import Words
from iolab.runtime.choice import Wanted


@click.command()
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file.  [default: experiments/freeze.toml]",
)
@click.option(
    "--models",
    envvar="MODELS",
    type=Words("NAME", str, "the name of a model"),
    help="One server, by letter or name.  [default: C]",
)
@options.runtime
@options.results
@options.resume
def freeze(
    path: Path | None, models: tuple[str, ...] | None, runtime: Wanted, results: Path | None, resume: Path | None
) -> int:
    """Let a server stand still for 2 s of 10 s, and measure that in two ways."""
    changes = {"models": models} if models else {}
    return measured(Console(), planned("freeze", path, changes, FreezeExperiment, resume), runtime, results)
