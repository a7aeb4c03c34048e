"""`iolab locust`: so many users for so long, by Locust without its page. `iolab worker`: load from another machine."""

import math
from pathlib import Path

import click
from rich.console import Console

from iolab import options
from iolab.cli_run import measured, planned
from iolab.errors import LoadFailed, UsageError
from iolab.experiment import ServerSettings
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Lab, find_root
from iolab.live import workers as load_workers
from iolab.options import Span
from iolab.runtime.choice import Wanted
from iolab.theory.closed_loop import closed_loop

LONGEST_S = 3600.0


@click.command()
@click.argument("master", envvar="MASTER", required=False)
@click.option(
    "--workers", envvar="WORKERS", type=click.IntRange(1, 64), default=1, show_default=True, help="One a core is best."
)
@options.master_port
@options.runtime
def worker(master: str | None, workers: int, master_port: int, runtime: Wanted) -> int:
    """Make load for MASTER, another machine, that runs `make up` or `make queue JOIN=`, until that ends."""
    console = Console()
    if not master:
        raise UsageError("MASTER: say for which machine: make worker MASTER=192.168.1.10")
    lab = Lab.read(find_root(Path.cwd()))
    try:
        for line in load_workers.join(lab, master, master_port, workers, runtime):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    except LoadFailed as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return 1
    return 0


@click.command()
@click.option("--model", envvar="MODEL", default="asyncio", show_default=True, help="A letter or a name.")
@click.option(
    "--users", envvar="USERS", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Users at once."
)
@click.option("--time", "time_s", envvar="TIME", type=Span(), default="60s", show_default=True, help="For how long.")
@options.wait_ms
@options.runtime
@options.results
def locust(
    *, model: str, users: int, time_s: float, wait_ms: float | None, runtime: Wanted, results: Path | None
) -> int:
    """Let USERS users ask one server, each as soon as it has its answer, for about TIME."""
    console = Console()
    root = find_root(Path.cwd())
    if time_s > LONGEST_S:
        raise UsageError(f"TIME={time_s:g}s: at most {LONGEST_S:g}s")
    server = {"backlog": 1024} | ({} if wait_ms is None else {"wait_ms": wait_ms})
    chosen = Lab.read(root).select([model], "MODEL")
    if len(chosen) != 1:
        raise UsageError(f"MODEL={model}: one server at a time; make bench LOADGEN=locust measures all")
    settings = ServerSettings.model_validate(server)
    expected = closed_loop(users, chosen[0].workers, settings.wait_ms / 1000)
    requests = max(1, math.ceil(expected.throughput_rps * time_s / users)) * users
    changes = {
        "name": "locust",
        "question": "What do {users} users wait, as {generator} tells it?",
        "models": [model],
        "concurrency": [users],
        "repeats": 1,
        "load": {"generator": "locust", "requests": requests},
        "server": server,
    }
    return measured(console, planned("bench", None, changes, ClosedExperiment), runtime, results)
