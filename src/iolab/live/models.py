"""The table of all models: what each is, how much it uses while it is idle, and what to read."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from iolab.contract import suite
from iolab.contract.broken import Broken
from iolab.contract.server import Launcher
from iolab.host.processes import temporary_folder
from iolab.host.programs import lacking
from iolab.lab import Lab, Model

SETTLE_S = 0.2  # a server of several processes has all of them soon after it listens


@dataclass(frozen=True)
class Idle:
    """A model and its server while it is idle: processes, threads and memory of all; None where it does not run here.

    `memory_bytes` is the proportional set size where the system reports it, so that what processes share counts once.
    """

    model: Model
    read: str
    processes: int | None = None
    threads: int | None = None
    memory_bytes: int | None = None
    lacks: str = ""


def all_models(lab: Lab, free_port: Callable[[], int]) -> Iterator[Idle]:
    """Start the server of each model as a local process, one after another, and yield what it uses."""
    with temporary_folder() as folder:
        for model in lab.measured:
            yield _idle(lab, model, Launcher(model, folder, free_port))


def _idle(lab: Lab, model: Model, launcher: Launcher) -> Idle:
    read = str(suite.script(model).parent.relative_to(lab.root / "services"))
    if lacks := lacking(model.service):
        return Idle(model, read, lacks=lacks)
    try:
        with launcher.start() as server:
            time.sleep(SETTLE_S)
            first = psutil.Process(server.process.pid)
            family = [first, *first.children(recursive=True)]
            threads, memory = sum(each.num_threads() for each in family), sum(map(_memory_bytes, family))
            return Idle(model, read, len(family), threads, memory)
    except (Broken, psutil.Error) as error:
        return Idle(model, read, lacks=f"did not start: {error}")


def _memory_bytes(process: psutil.Process) -> int:
    found = process.memory_full_info()
    return int(getattr(found, "pss", found.rss))
