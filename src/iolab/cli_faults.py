"""The command `iolab faults`: what goes wrong with a crowd and its server, one thing after the other."""

import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options, session
from iolab.errors import TrialFailed
from iolab.host.lock import only_bench
from iolab.kinds.crowd.plan import MOST_USERS
from iolab.kinds.faults import run as faults
from iolab.kinds.faults import words as fault_words
from iolab.kinds.faults.records import FaultRecord, FaultsRun
from iolab.lab import find_root
from iolab.report import terminal
from iolab.runtime.choice import Wanted, choose


class Progress:
    """Says what is done just now, and prints a line for each fault that is over."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def says(self, what: str) -> None:
        """Say it, where somebody reads it as it comes."""
        if self._console.is_terminal:
            self._console.print(f"{what} ...", style="dim", highlight=False)

    def finished(self, record: FaultRecord) -> None:
        """Print what came of a fault."""
        style = None if record.kept_its_word else "red"
        text = f"{fault_words.name(record.fault):<15} {fault_words.sentence(record)}"
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


@click.command(name="faults")
@click.option("--models", "model", envvar="MODELS", help="One server, by letter or name.  [default: C]")
@click.option(
    "--users", envvar="USERS", type=click.IntRange(10, MOST_USERS), help="How many are there.  [default: 1,000]"
)
@click.option(
    "--way",
    envvar="WAY",
    type=click.Choice(["websocket", "poll"]),
    help="How they stay.  [default: websocket, where the server speaks it]",
)
@click.option("--cpus", envvar="CPUS", type=float, help="CPUs that the server may use.  [default: 1]")
@click.option(
    "--experiment",
    "path",
    envvar="EXPERIMENT",
    type=click.Path(path_type=Path),
    help="A TOML file with [crowd] and [faults].  [default: experiments/faults.toml]",
)
@options.runtime
@options.results
def faults_command(path: Path | None, runtime: Wanted, results: Path | None, **given: Any) -> int:
    """Let things go wrong with a crowd: who vanishes, floods, or does not read; the server is killed."""
    from iolab.kinds.faults import page as faults_page  # noqa: PLC0415 (it draws)

    console = Console()
    root = find_root(Path.cwd())
    plan = session.plan(root, path or root / "experiments" / "faults.toml", _changes(given))
    faults.scene_of(plan), faults.settings(plan.experiment)  # a mistake is told before anything starts
    with only_bench():
        with terminal.busy(console) as say:
            place = choose(runtime, plan.lab, plan.models, plan.experiment, say)
        terminal.show_place(console, place.runtime.name, place.reason)
        try:
            outcome = faults.measure(plan, place, results or root / "results", Progress(console))
        except TrialFailed as failed:  # before anything could go wrong on purpose
            console.print(f"No result: {failed}", markup=False, highlight=False, soft_wrap=True)
            return 1
    run = outcome.folder.read_json("faults.json", FaultsRun)
    outcome.folder.write("faults.html", faults_page.render(run, outcome.folder))
    faults_page.show(console, run)
    console.print(f"Page: {os.path.relpath(outcome.folder.path)}/faults.html", highlight=False, soft_wrap=True)
    return outcome.exit_status


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, as changes to an experiment's TOML."""
    crowd: dict[str, Any] = {}
    if given["users"] is not None:
        crowd["levels"] = [given["users"]]
    if given["way"] is not None:
        crowd["ways"] = [given["way"]]
    changes: dict[str, Any] = {"crowd": crowd} if crowd else {}
    if given["model"]:
        changes["models"] = [given["model"]]
    if given["cpus"] is not None:
        changes["cpus"] = [given["cpus"]]
    return changes
