"""`iolab locust`: load by Locust for a given time, without its page. `iolab worker`: load from another machine."""

from pathlib import Path
from typing import Any

import click

from iolab.cli import parameters
from iolab.cli.console import Console
from iolab.cli.run import measured, planned
from iolab.errors import LoadFailed, UsageError
from iolab.experiment import ServerSettings
from iolab.experiment_file import validated
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Lab, find_root
from iolab.live import workers as load_workers
from iolab.loadgen.workers import Crew
from iolab.options import TIME
from iolab.runtime.choice import Wanted
from iolab.theory.closed_loop import closed_loop

LONGEST_S = 3600.0


@click.command(params=parameters.of(Crew, "master_port"))
@click.argument("master", envvar="MASTER", required=False)
@click.option(
    "--workers",
    envvar="WORKERS",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Locust workers to start; best is one per core.",
)
@parameters.runtime
def worker(master: str | None, workers: int, master_port: int | None, runtime: Wanted) -> int:
    """Generate load for MASTER, another machine that runs `make up` or `make queue JOIN=`, until that ends."""
    console = Console()
    if not master:
        raise UsageError("MASTER: give the address of the other machine: make worker MASTER=192.168.1.10")
    given = {} if master_port is None else {"port": master_port}
    port = validated(given, Crew, given, "worker").port
    lab = Lab.read(find_root(Path.cwd()))
    try:
        for line in load_workers.join(lab, master, port, workers, runtime):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    except LoadFailed as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return 1
    return 0


@click.command(params=parameters.of(ServerSettings, "wait_ms"))
@click.option("--models", "model", envvar="MODELS", default="asyncio", show_default=True, help="A letter or a name.")
@click.option(
    "--users", envvar="USERS", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Users at once."
)
@click.option(
    "--time",
    "time_s",
    envvar="TIME",
    type=parameters.Value(TIME),
    default="60s",
    show_default=True,
    help="Duration of the load.",
)
@parameters.runtime
@parameters.results
@parameters.wait
def locust(
    *, model: str, users: int, time_s: float, runtime: Wanted, results: Path | None, wait: bool, **given: Any
) -> int:
    """Load one server by USERS users for about TIME; each user sends its next request when it has its answer."""
    console = Console()
    root = find_root(Path.cwd())
    if time_s > LONGEST_S:
        raise UsageError(f"TIME={time_s:g}s: at most {LONGEST_S:g}s")
    server = {"backlog": 1024} | ServerSettings.changes(given)
    chosen = Lab.read(root).select([model])
    if len(chosen) != 1:
        raise UsageError(f"MODELS={model}: one server at a time; make bench LOADGEN=locust measures all")
    settings = validated(server, ServerSettings, server, "locust")
    expected = closed_loop(users, chosen[0].workers, settings.wait_ms / 1000)
    changes = {
        "name": "locust",
        "question": "What response time do {users} users have, measured by {generator}?",
        "models": [model],
        "concurrency": [users],
        "repeats": 1,
        "load": {"generator": "locust", "requests": expected.requests(users, time_s)},
        "server": server,
    }
    return measured(console, planned("bench", None, changes, ClosedExperiment), runtime, results, wait=wait)
