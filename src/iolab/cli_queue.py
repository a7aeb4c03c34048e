"""The command `iolab queue`: people who come whether or not the server keeps up, beside queueing theory."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from iolab import options, session
from iolab.cli_report import report_run
from iolab.errors import UsageError
from iolab.host.lock import only_bench
from iolab.kinds.open import run as openloop
from iolab.kinds.slo import page as slo_terminal
from iolab.kinds.slo.plan import Objective
from iolab.kinds.slo.run import measure as measure_slo
from iolab.lab import find_root
from iolab.loadgen.workers import Crew
from iolab.options import Span, Words, share
from iolab.report import terminal, words
from iolab.results.records import OpenRecord, OpenSample
from iolab.runtime.choice import Wanted, choose


class Progress:
    """Says what is done just now, and prints a line for each plan that has ended."""

    def __init__(self, console: Console) -> None:
        self._console, self._done = console, 0

    def says(self, what: str) -> None:
        """Say it, where somebody reads it as it comes, or has something to do."""
        if self._console.is_terminal or "make worker" in what:
            self._console.print(f"{what} ...", style="dim", highlight=False)

    def finished(self, record: OpenRecord, samples: Sequence[OpenSample], of: int) -> None:
        """Print what came of a plan."""
        self._done += 1
        busy = f"{record.rate_rps:.0f}/s" if record.utilisation is None else f"busy {record.utilisation:.0%}"
        number = f"{self._done:{len(str(of))}}/{of}" if of else f"{self._done:2}"  # a search knows no end beforehand
        place = f"{number}  {record.model} {record.variant:<12} {busy:<9}"
        answered = [sample.done_s - sample.planned_s for sample in samples if sample.status == 200]
        text = f"invalid: {record.reason}"
        if record.valid and answered:
            mean = words.milliseconds(sum(answered) / len(answered) * 1000)
            text = f"{len(answered):5} came   mean {mean:>8}   slowest {words.milliseconds(max(answered) * 1000):>8}"
        self._console.print(
            f"{place} {text}", style=None if record.valid else "red", markup=False, highlight=False, soft_wrap=True
        )


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
@options.crew
def queue(path: Path | None, runtime: Wanted, results: Path | None, *, crew: Crew, **given: Any) -> int:
    """Let people come at rates that keep the servers busy, and set theory beside what they wait."""
    console = Console()
    root = find_root(Path.cwd())
    plan = session.plan(root, path or root / "experiments" / "queue.toml", _changes(given))
    with only_bench():
        with terminal.busy(console) as say:
            place = choose(runtime, plan.lab, plan.models, plan.experiment, say, host=crew.address)
        terminal.show_place(console, place.runtime.name, place.reason)
        outcome = openloop.measure(plan, place, results or root / "results", Progress(console), crew)
    report_run(console, outcome.folder)
    return outcome.exit_status


@click.command()
@click.argument("objective", envvar="SLO", default="p99<100ms", metavar="SLO")
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
@options.crew
def slo(objective: str, runtime: Wanted, results: Path | None, *, crew: Crew, **given: Any) -> int:
    """Find the highest rate of arrivals at which SLO holds, such as p99<100ms, for each server."""
    console = Console()
    root = find_root(Path.cwd())
    wanted = Objective.parse(objective)
    server = {name: given.pop(name) for name in ("wait_ms", "wait_distribution") if given[name] is not None}
    changes = {name: value for name, value in given.items() if value is not None} | {"server": server, "vary": []}
    plan = session.plan(root, root / "experiments" / "queue.toml", {"name": "slo", **changes})
    with only_bench():
        with terminal.busy(console) as say:
            place = choose(runtime, plan.lab, plan.models, plan.experiment, say, host=crew.address)
        terminal.show_place(console, place.runtime.name, place.reason)
        progress = Progress(console)
        folder, found, status = measure_slo(plan, place, results or root / "results", progress, wanted, crew=crew)
    slo_terminal.show(console, wanted, found, os.path.relpath(folder.path))
    return status


def _changes(given: dict[str, Any]) -> dict[str, Any]:
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
