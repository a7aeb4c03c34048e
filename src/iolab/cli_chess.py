"""`iolab chess`: one chess master, many boards, and every server in turn."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options
from iolab.cli_run import measured, planned
from iolab.kinds.chess.settings import ChessExperiment
from iolab.runtime.choice import Wanted


@click.command(name="chess")
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file.  [default: experiments/chess.toml]",
)
@options.models
@click.option("--boards", envvar="BOARDS", type=click.IntRange(1, 500), help="Opponents.  [default: 24]")
@click.option("--moves", envvar="MOVES", type=click.IntRange(1, 500), help="Pairs of moves a game.  [default: 30]")
@click.option("--scale-ms", envvar="SCALE_MS", type=float, help="What a second of the story takes here.  [default: 1]")
@click.option("--threads", envvar="THREADS", type=int, help="Threads in the pool.  [default: 8]")
@options.runtime
@options.results
@options.resume
def exhibition(path: Path | None, runtime: Wanted, results: Path | None, resume: Path | None, **given: Any) -> int:
    """Let a chess master play 24 opponents, against every server."""
    return measured(Console(), planned("chess", path, changes(**given), ChessExperiment, resume), runtime, results)


def changes(
    models: tuple[str, ...] | None,
    boards: int | None,
    moves: int | None,
    scale_ms: float | None,
    threads: int | None,
) -> dict[str, Any]:
    """Return what was given, as changes to an experiment's TOML."""
    rules = {name: value for name, value in (("moves", moves), ("scale_ms", scale_ms)) if value is not None}
    return {
        **({"models": models} if models else {}),
        **({"concurrency": [boards]} if boards is not None else {}),
        **({"chess": rules} if rules else {}),
        **({"server": {"threads": threads}} if threads is not None else {}),
    }
