"""The command `iolab crowd`: thousands of people who mostly wait, beside the models that cannot hold them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options, session
from iolab.cli_report import report_run
from iolab.host.lock import only_bench
from iolab.kinds.crowd import plan as crowd_plan
from iolab.kinds.crowd import run as crowd
from iolab.kinds.crowd.plan import MOST_USERS
from iolab.kinds.crowd.records import Click, CrowdRecord
from iolab.lab import find_root
from iolab.options import Words
from iolab.report import terminal, words
from iolab.runtime.choice import Wanted, choose


class Progress:
    """Says what is done just now, and prints a line for each level that has ended."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def says(self, what: str) -> None:
        """Say it, where somebody reads it as it comes."""
        if self._console.is_terminal:
            self._console.print(f"{what} ...", style="dim", highlight=False)

    def finished(self, record: CrowdRecord, clicks: Sequence[Click]) -> None:
        """Print what came of a level."""
        late = sorted(each.answered_s - each.planned_s for each in clicks if each.answered_s is not None)
        felt = f"median click {words.milliseconds(late[len(late) // 2] * 1000):>8}" if late else "no click answered"
        text = f"held {record.held:>7,}   {felt}" if record.valid else f"invalid: {record.reason}"
        place = f"{record.model} {record.way:<9} {record.users:>7,} users"
        style = "red" if not record.valid else "yellow" if record.held < record.users else None
        self._console.print(f"{place}   {text}", style=style, markup=False, highlight=False, soft_wrap=True)
        if record.capped:
            self._console.print(f"  {record.capped}", style="dim", markup=False, highlight=False)


@click.command(name="crowd")
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file with [crowd].  [default: experiments/crowd.toml]",
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
    "--way", "ways", envvar="WAY", type=click.Choice(["websocket", "poll"]), help="Only servers that speak it."
)
@click.option("--processes", envvar="PROCESSES", type=int, help="Processes of a server that can be several.")
@click.option("--cpus", envvar="CPUS", type=float, help="CPUs that a server may use.  [default: 1]")
@click.option("--threads", envvar="THREADS", type=int, help="Threads in the pool.")
@click.option("--freeze-collector", envvar="GC_FREEZE", type=bool, help="Keep Python's collector off who stays.")
@click.option("--seed", envvar="SEED", type=int, help="Of the clicks.")
@options.runtime
@options.results
def crowd_command(path: Path | None, runtime: Wanted, results: Path | None, **given: Any) -> int:
    """Let people come to a chat server of each model, stay, and now and then click: how many does it hold?"""
    console = Console()
    root = find_root(Path.cwd())
    plan = session.plan(root, path or root / "experiments" / "crowd.toml", _changes(given))
    scenes = crowd_plan.scenes(plan.models, crowd.crowd_of(plan.experiment))
    with only_bench():
        with terminal.busy(console) as say:
            place = choose(runtime, plan.lab, plan.models, plan.experiment, say)
        terminal.show_place(console, place.runtime.name, place.reason)
        outcome = crowd.measure(plan, scenes, place, results or root / "results", Progress(console))
    report_run(console, outcome.folder)
    return outcome.exit_status


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, as changes to an experiment's TOML."""
    given = {name: value for name, value in given.items() if value is not None}
    table: dict[str, Any] = {}
    table |= {name: given.pop(name) for name in ("levels", "processes", "freeze_collector") if name in given}
    if "levels" in table:
        table["most"] = 0
    if "ways" in given:
        table["ways"] = [given.pop("ways")]
    changes: dict[str, Any] = {"crowd": table} if table else {}
    if "threads" in given:
        changes["server"] = {"threads": given.pop("threads")}
    if "cpus" in given:
        changes["cpus"] = [given.pop("cpus")]
    return {**given, **changes}
