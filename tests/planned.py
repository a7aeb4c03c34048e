"""Planned arrivals on a made-up world: the load is what an ideal queue makes of it, in no time."""

import html
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iolab import planning, session
from iolab.cli.console import Console
from iolab.cli.run import report_run
from iolab.experiment import Experiment
from iolab.host import cores
from iolab.host.signals import Interrupted
from iolab.kinds import arrivals
from iolab.lab import Lab
from iolab.loadgen.openloop import Arrivals, OpenLoad, Turn
from iolab.loadgen.workers import Crew
from iolab.results.folder import RunFolder
from iolab.results.records import MachineUsage
from iolab.results.samples import OpenSample
from iolab.runtime.choice import Place
from iolab.theory import queueing
from tests import quiet
from tests.conftest import ROOT
from tests.fakes import FakeRuntime, Watcher

SERVICE_S = 0.02
WORKERS = {"A": 1.0, "B": 8.0, "C": float("inf"), "D": float("inf")}


@dataclass
class FakeLoop:
    """Makes up loads; `events` says what happens at the n-th plan."""

    runtime: FakeRuntime
    events: dict[int, str] = field(default_factory=dict)
    tells: bool = True
    plans: list[Arrivals] = field(default_factory=list)
    before: Callable[[], object] = lambda: None

    def closed(self, url: str, users: int, requests: int, answer_limit_s: float) -> list[Turn]:
        self.runtime.log.append(f"closed {users}x{requests}")
        told = SERVICE_S if self.tells else None
        if users == 1:
            return [Turn(number * SERVICE_S, SERVICE_S, 200, told) for number in range(requests)]
        each_s = SERVICE_S / (users / 2)  # twice as many users as workers
        return [Turn((number + 1) * each_s - 2 * SERVICE_S, 2 * SERVICE_S, 200, told) for number in range(requests)]

    def run(self, url: str, plan: Arrivals, answer_limit_s: float) -> OpenLoad:
        self.before()
        self.plans.append(plan)
        self.runtime.log.append("plan")
        event = self.events.get(len(self.plans) - 1, "")
        if event == "interrupt":
            raise Interrupted(2)
        samples = self._samples(plan)
        if event == "server dies":
            self.runtime.servers[-1].dead = True
            return OpenLoad(samples[:5], 0.0)
        if event == "unanswered":
            samples[-3:] = [sample._replace(status=0, service_s=None, failure="timeout") for sample in samples[-3:]]
        if event == "late":
            samples = [each._replace(sent_s=each.sent_s + 0.005, done_s=each.done_s + 0.005) for each in samples]
        return OpenLoad(samples, 0.0, "load worker 1 was lost" if event == "lost" else "", 0, ())

    def _samples(self, plan: Arrivals) -> list[OpenSample]:
        gaps = np.random.default_rng(plan.seed).exponential(1 / plan.rate_rps, int(plan.rate_rps * plan.duration_s))
        came = np.cumsum(gaps)
        name = next(entry for entry in reversed(self.runtime.log) if entry.startswith("start")).split()[1]
        stayed = queueing.many_servers(came, np.full(len(came), SERVICE_S), WORKERS[name])
        return [
            OpenSample(float(at), float(at), float(at + took), 200, SERVICE_S)
            for at, took in zip(came, stayed, strict=True)
        ]


@dataclass
class FakeWatch:
    """The machine during a plan: quiet, unless the plan's event is "busy"."""

    loop: FakeLoop

    def usage(self) -> MachineUsage:
        busy = self.loop.events.get(len(self.loop.plans) - 1) == "busy"
        return quiet.machine(10.0, (8.0, 7.0) if busy else (0.0, 0.0))


class World:
    """A run of a kind with planned arrivals."""

    def __init__(self, lab: Lab, results: Path, settings: type[Experiment], monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.results, self.settings = lab.root, results, settings
        self.runtime, self.watcher = FakeRuntime(("127.0.0.1", 1)), Watcher()
        self.loop = FakeLoop(self.runtime)
        self.crews: list[Crew] = []
        self.on_disk: list[int] = []
        self.loop.before = lambda: self.on_disk.append(len(self.lines(RunFolder.open(results / "latest"))))

        @contextmanager
        def gathered(crew: Crew, *_: object) -> Iterator[FakeLoop]:
            self.crews.append(crew)
            yield self.loop

        @contextmanager
        def watching() -> Iterator[FakeWatch]:
            yield FakeWatch(self.loop)

        monkeypatch.setattr(arrivals, "gathered", gathered)
        monkeypatch.setattr(arrivals, "watching", watching)

    def plan(self, name: str, **changes: Any) -> planning.Plan[Any]:
        return planning.plan(self.root, ROOT / "experiments" / f"{name}.toml", changes, self.settings)

    def resume(self, folder: RunFolder) -> planning.Plan[Any]:
        return planning.resumed(self.root, folder.path, self.settings)

    def measure(self, plan: planning.Plan[Any]) -> session.Outcome:
        place: Any = Place(self.runtime, "a test", "hey", {1.0: cores.plan(1, range(4))})  # type: ignore[arg-type]
        return session.measure(plan, place, self.results, self.watcher)

    def lines(self, folder: RunFolder) -> Sequence[str]:
        path = folder.path / "trials.jsonl"
        return path.read_text().splitlines() if path.exists() else []

    def calibrations(self) -> int:
        """Return how many models were calibrated: each of them begins with one user alone."""
        return self.runtime.log.count(f"closed 1x{arrivals.ONE_BY_ONE}")

    def printed(self, folder: RunFolder) -> str:
        """Make the reports, and return report.md as plain text, and what is printed."""
        with Path("/dev/null").open("w") as nowhere:
            console = Console(width=300, record=True, file=nowhere)
            report_run(console, folder)
        return html.unescape((folder.path / "report.md").read_text()).replace("*", "") + console.export_text()
