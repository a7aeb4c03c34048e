"""Faults on a made-up server and crowd: one stage for all of them, what is on disk when, and where it ends."""

import io
import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iolab import planning, session
from iolab.chat.entries import Entry
from iolab.cli.console import Console
from iolab.cli.run import report_run
from iolab.errors import LoadFailed, UsageError
from iolab.host import cores, limits
from iolab.host.limits import Facts
from iolab.host.signals import Interrupted
from iolab.kinds.faults import clicks, run
from iolab.kinds.faults.plan import FAULTS
from iolab.kinds.faults.records import ClickRow, Fault, FaultRecord, Figures
from iolab.kinds.faults.settings import FaultsExperiment
from iolab.kinds.faults.stage import Stage
from iolab.lab import Lab
from iolab.results.folder import RunFolder
from iolab.runtime.choice import Place
from tests import faults as made_up
from tests.conftest import ROOT, Run
from tests.fakes import Clock, FakeRuntime, FakeServer, Watcher, answering

HERD = [Entry(0, 0.0, 0.1, 0.2, "held"), Entry(1, 0.0, 0.1, 0.3, "held")]


class FakePeople:
    """Users of whom one clicks once in each fault, and has an answer."""

    def __init__(self, shares: Sequence[int]) -> None:
        self.shares = shares
        self.cpu_of_each_s: Sequence[float] = (0.0, 0.0)

    def connect(self, place: tuple[str, int], transport: str, rate: float, patience_s: float) -> list[list[Any]]:
        return []

    def ask(self, what: str, jobs: Sequence[Mapping[str, Any]], timeout_s: float) -> list[dict[str, Any]]:
        assert what == "begin_clicks"
        assert sum(job["rate"] for job in jobs) == 50
        return []

    def all(self, what: str, timeout_s: float, **job: Any) -> list[dict[str, Any]]:
        idle_s, busy_s = self.cpu_of_each_s
        self.cpu_of_each_s = (idle_s + 0.1, busy_s + 0.3)
        answers: dict[str, dict[str, Any]] = {
            "count_outcomes": {"held": sum(self.shares), "late": 0},
            "end_clicks": {"rows": [["c1-0", 1, 10.0, 10.001, 10.002]], "acknowledged": ["c1-0"]},
            "reconnect": {"rows": [], "tries": 0},
        }
        return [answers[what]]


class World:
    """A run with everything that it needs, all of it made up; `events` happen in a fault."""

    def __init__(self, lab: Lab, address: tuple[str, int], results: Path) -> None:
        self.lab, self.results = lab, results
        self.runtime, self.watcher = FakeRuntime(address), Watcher()
        self.events: dict[Fault, BaseException] = {}
        self.crowds: list[int] = []
        self.on_disk: list[int] = []
        self.stages: set[int] = set()

    @contextmanager
    def holding(self, runtime: object, plan: object, shares: Sequence[int]) -> Iterator[FakePeople]:
        assert (self.results / "latest" / "run.json").is_file()
        self.crowds.append(sum(shares))
        self.runtime.log.append("crowd comes")
        yield FakePeople(shares)
        self.runtime.log.append("crowd goes")

    def act(self, fault: Fault, stage: Stage) -> Figures:
        self.on_disk.append(len(RunFolder.open(self.results / "latest").read_trials(FaultRecord)))
        self.stages.add(id(stage))
        if fault in self.events:
            raise self.events[fault]
        if fault == "killed":
            stage.kill()
        if fault == "herd":
            stage.start_again()
            stage.rows = HERD
        return made_up.figures(fault, stage.users.shares)

    def plan(self, **changes: Any) -> planning.Plan[FaultsExperiment]:
        changes = {"crowd": {"users": [20]}, "faults": {"least_s": 0.001}, **changes}
        return planning.plan(self.lab.root, ROOT / "experiments" / "faults.toml", changes, FaultsExperiment)

    def measure(self, plan: planning.Plan[FaultsExperiment]) -> session.Outcome:
        place: Any = Place(self.runtime, "a test", "hey", {1.0: cores.plan(1, range(4))})  # type: ignore[arg-type]
        return session.measure(plan, place, self.results, self.watcher)


@pytest.fixture
def world(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with answering() as address:
        made = World(lab, address, tmp_path / "results")
        monkeypatch.setattr(run, "holding", made.holding)
        monkeypatch.setattr(run, "ACTS", {fault: lambda stage, fault=fault: made.act(fault, stage) for fault in FAULTS})
        monkeypatch.setattr(run, "LINUX_ONLY", frozenset())
        monkeypatch.setattr(clicks, "RECORD_S", 0.0)
        monkeypatch.setattr(limits, "raise_soft_limits", list)
        monkeypatch.setattr(limits, "read", Facts)
        monkeypatch.setattr(FakeServer, "log", lambda _: "a server\nc1-0\n")
        yield made


def test_the_busiest_process_of_the_client_is_judged_by_itself() -> None:
    client = run.used((1.0, 0.5, 0.0), (2.0, 9.9, 1.0), 10.0)
    assert client.cpu_s == pytest.approx(11.4)
    assert client.busiest_share == pytest.approx(0.94)
    assert run.used((1.0,), (1.0,), 0.0).busiest_share is None


def faults(folder: RunFolder) -> list[Fault]:
    return [record.fault for record in folder.read_trials(FaultRecord)]


def shown(folder: RunFolder) -> str:
    console = Console(width=120, file=io.StringIO(), record=True)
    report_run(console, folder)
    return " ".join((console.export_text() + (folder.path / "report.md").read_text().replace("*", "")).split())


def test_one_crowd_meets_all_faults_and_each_is_on_disk_as_it_ends(world: World) -> None:
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.reason, faults(outcome.folder)) == (0, "", list(FAULTS))
    assert world.on_disk == [0, 1, 2, 3, 4, 5, 6]
    assert (world.crowds, len(world.stages)) == ([20], 1)
    assert world.runtime.log == [
        "open", "start C 1", "crowd comes", "stop C", "start C 1", "crowd goes", "stop C", "close",
    ]  # fmt: skip
    assert "20 users connect to C websocket" in world.watcher.said
    info = outcome.folder.read_run()
    assert (info.kind, info.generator, info.status, info.trials_planned) == ("faults", "crowd", "complete", 7)
    first, *_, last = outcome.folder.read_trials(FaultRecord)
    assert (first.model, first.transport, first.asked, first.allowed, first.users, first.back) == (
        "C",
        "websocket",
        20,
        20,
        20,
        20,
    )
    assert first.acknowledged_clicks_safe
    assert first.client.cpu_s == pytest.approx(0.4)  # until the clicks end
    assert list(first.rows) == ["clicks"]
    assert [row.token for row in outcome.folder.read_rows(first.rows, "clicks", ClickRow)] == ["c1-0"]
    assert outcome.folder.read_rows(last.rows, "users", Entry) == HERD
    assert len(outcome.folder.read_rows(last.rows, "clicks", ClickRow)) == 1
    assert [line.style for line in world.watcher.lines] == [None] * 7
    assert world.watcher.lines[0].text == "baseline        20 users, without a fault"


def test_users_click_for_the_stated_time_also_while_a_server_starts_slowly(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, serve = Clock(), world.runtime.serve

    def slowly(*arguments: Any) -> Any:
        clock.now_s += 3.0
        return serve(*arguments)

    monkeypatch.setattr(run, "time", clock)
    monkeypatch.setattr("iolab.kinds.faults.stage.time", clock)
    monkeypatch.setattr(world.runtime, "serve", slowly)
    outcome = world.measure(world.plan(faults={"least_s": 4.0}))
    assert outcome.exit_status == 0
    assert clock.slept_s == pytest.approx([4.0] * 6)  # not while the server is dead; the herd's, from the new server on


def test_the_reports_are_made_of_the_run_folder_alone(world: World) -> None:
    folder = world.measure(world.plan()).folder
    assert "All 7 acknowledged clicks are in the rows on disk" in shown(folder)
    summary = json.loads((folder.path / "summary.json").read_text())
    assert (summary["kind"], summary["status"], len(summary["cells"])) == ("faults", "complete", 7)
    assert "<h3>C · asyncio, WebSocket, 20 users</h3>" in (folder.path / "report.html").read_text()
    assert "| baseline |" in (folder.path / "report.md").read_text()


def test_no_fault_follows_one_that_could_not_be_measured(world: World) -> None:
    world.events = {"slow": LoadFailed("the load driver did not answer within 40 s")}
    outcome = world.measure(world.plan())
    records = outcome.folder.read_trials(FaultRecord)
    assert (outcome.exit_status, outcome.folder.read_run().status) == (1, "failed")
    assert [(record.fault, record.valid) for record in records] == [
        ("baseline", True),
        ("broadcast", True),
        ("slow", False),
    ]
    assert world.watcher.lines[-1].style == "red"
    assert "This run failed: it has 3 of 7 trials; the findings say what is wrong." in shown(outcome.folder)
    page = (outcome.folder.path / "report.html").read_text()
    assert "Slow readers: invalid: the load driver did not answer within 40 s." in page


def test_a_click_that_is_lost_spoils_the_run_and_the_faults_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeServer, "log", lambda _: "a server that writes down no click\n")
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.folder.read_run().status, len(faults(outcome.folder))) == (1, "failed", 7)
    assert {line.style for line in world.watcher.lines} == {"red"}
    assert "they are lost" in shown(outcome.folder)


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_a_report_of_what_there_is_and_cannot_go_on(
    world: World, inside: Run, signum: int, status: int
) -> None:
    world.events = {"vanished": Interrupted(signum)}
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.folder.read_run().status) == (status, "partial")
    assert faults(outcome.folder) == ["baseline", "broadcast", "slow"]
    assert world.runtime.log[-1] == "close"
    assert world.runtime.log.count("start C 1") == world.runtime.log.count("stop C") == 1
    assert "This run was interrupted: it has 3 of 7 trials." in shown(outcome.folder)
    assert "This run was interrupted" in (outcome.folder.path / "report.html").read_text()
    done = inside("run", "--resume", str(outcome.folder.path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "the users that all faults shared are disconnected: run it again" in done.stderr


def test_without_a_crowd_no_fault_can_happen_and_the_reason_is_told(world: World) -> None:
    world.runtime.refuses = frozenset("C")
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.reason) == (1, "C does not start")
    assert (outcome.folder.read_run().status, outcome.folder.has_trials()) == ("failed", False)


def test_what_only_linux_can_is_left_out_elsewhere_and_counts_as_measured(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LINUX_ONLY", frozenset({"vanished", "half_open"}))
    monkeypatch.setattr("iolab.kinds.faults.run.sys.platform", "darwin")
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, len(faults(outcome.folder))) == (0, 7)
    left_out = [record for record in outcome.folder.read_trials(FaultRecord) if record.figures is None]
    assert [record.fault for record in left_out] == ["vanished", "half_open"]
    assert "left out: only Linux can drop" in world.watcher.lines[3].text


def test_as_many_come_as_the_machine_allows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "read", lambda: Facts(files=64 + 15))
    outcome = world.measure(world.plan())
    record = outcome.folder.read_trials(FaultRecord)[0]
    assert (record.asked, record.allowed, world.crowds) == (20, 15, [15])
    assert record.capped.startswith("15 of 20 users can connect: ")
    shown(outcome.folder)
    assert "15 of 20 users can connect: " in (outcome.folder.path / "report.html").read_text()
    monkeypatch.setattr(limits, "read", lambda: Facts(files=64))
    with pytest.raises(UsageError, match=r"^USERS=20: no user can connect: "):
        world.measure(world.plan())
