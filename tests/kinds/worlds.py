"""A run of one of the lab's own experiments on servers and loads that are made up."""

import html
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iolab import planning, session
from iolab.cli.console import Console
from iolab.cli.run import report_run
from iolab.host import cores
from iolab.host.cores import CpuPlan
from iolab.kinds import registry
from iolab.lab import Lab
from iolab.loadgen import Job, Load, LoadGenerator
from iolab.results.folder import RunFolder
from iolab.results.records import TrialRecord
from iolab.runtime.choice import Place
from tests.conftest import ROOT
from tests.fakes import FakeGenerator, FakeRuntime, Watcher
from tests.waiting import wait_until

LONGEST_PREPARATION_S = 60.0  # a warm-up, and a load that is only watched, end sooner


class SlowGenerator(FakeGenerator):
    """Makes loads up, each of which lasts until `counted`, whatever that counts, has risen by two; not where None."""

    counted: Callable[[], int] | None = None
    before: Callable[[], None] = staticmethod(lambda: None)

    def run(self, job: Job) -> Load:
        self.before()
        if self.counted and job.timeout_s > LONGEST_PREPARATION_S:
            wait_for_two_more(self.counted)
        return super().run(job)


def wait_for_two_more(counted: Callable[[], int]) -> None:
    at_first = counted()
    wait_until(lambda: counted() >= at_first + 2)


class World:
    """All that a run needs; `on_disk` is how many trials were on disk whenever a load began."""

    def __init__(self, lab: Lab, folder: Path, name: str, address: tuple[str, int], **changes: Any) -> None:
        self.lab, self.results, self.name, self._changes = lab, folder / "results", name, changes
        self.kind = registry.kind(name)
        self.runtime = FakeRuntime(address)
        self.generator = SlowGenerator(self.runtime)
        self.generator.before = self.look
        self.watcher = Watcher()
        self.on_disk: list[int] = []

    def froze(self) -> int:
        """Return how often servers were frozen or went on."""
        return sum(server.froze for server in self.runtime.servers)

    def look(self) -> None:
        self.on_disk.append(len(self.trials(RunFolder.open(self.results / "latest"))))

    def trials(self, folder: RunFolder) -> list[TrialRecord]:
        found: list[TrialRecord] = folder.read_trials(self.kind.record)
        return found

    def plan(self) -> planning.Plan[Any]:
        path = ROOT / "experiments" / f"{self.name}.toml"
        return planning.plan(self.lab.root, path, self._changes, self.kind.settings)

    def measure(self, plan: planning.Plan[Any] | None = None) -> session.Outcome:
        @contextmanager
        def opened(runtime: object, plan: CpuPlan) -> Iterator[LoadGenerator]:
            self.runtime.log.append("open generator")
            yield self.generator

        plan = plan or self.plan()
        plans = {limit: cores.plan(limit, range(4)) for limit in plan.experiment.cpus}
        place: Any = Place(self.runtime, "a test", "hey", plans)  # type: ignore[arg-type]
        return session.measure(plan, place, self.results, self.watcher, opened)

    def resume(self, folder: RunFolder) -> session.Outcome:
        return self.measure(planning.resumed(self.lab.root, folder.path, self.kind.settings))

    def report(self, folder: RunFolder) -> tuple[dict[str, Any], dict[str, str]]:
        """Return summary.json, and report.md, report.html, and report.md as plain text before what is printed."""
        console = Console(file=io.StringIO(), width=160)
        report_run(console, folder)
        texts = {name: (folder.path / name).read_text() for name in ("report.md", "report.html")}
        summary: dict[str, Any] = json.loads((folder.path / "summary.json").read_text())
        plain = html.unescape(texts["report.md"]).replace("*", "")
        return summary, {"terminal": plain + console.file.getvalue(), **texts}  # type: ignore[attr-defined]
