"""A crowd's levels on made-up servers and users: which are measured, what is on disk when, what an interruption leaves."""

import io
import json
import signal
from collections.abc import Iterator, Sequence
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
from iolab.kinds.crowd import run
from iolab.kinds.crowd.kind import KIND
from iolab.kinds.crowd.records import Click, CrowdRecord
from iolab.kinds.crowd.settings import CrowdExperiment
from iolab.lab import Lab
from iolab.results.folder import RunFolder
from iolab.runtime.choice import Place
from tests.conftest import ROOT, Run
from tests.fakes import FakeRuntime, Watcher, answering

pytestmark = pytest.mark.usefixtures("undrawn")

SHORT = {"users": [5, 10], "most": 0, "quiet_s": 0.001, "busy_s": 2.0}


class FakeUsers:
    """Users who are held up to `room`; the others wait. All of them click once."""

    cpu_s = 0.5

    def __init__(self, shares: Sequence[int], room: int) -> None:
        self.rows = [
            [user, 7.0 + user, 7.1 + user, 7.2 + user if user < room else None, "held" if user < room else "waiting"]
            for user in range(sum(shares))
        ]

    def connect(self, place: tuple[str, int], transport: str, rate: float, patience_s: float) -> list[list[Any]]:
        return self.rows

    def click(self, rate: float, for_s: float, wait_s: float, seed: int) -> list[dict[str, Any]]:
        rows = [[row[0], 20.0, 20.1, None if row[4] == "waiting" else 20.2] for row in self.rows]
        return [{"begin_s": 20.0, "rows": rows, "clicking_cpu_s": 0.1}]

    def all(self, what: str, timeout_s: float, **job: Any) -> list[dict[str, Any]]:
        assert what == "outcomes"
        return [{"rows": self.rows}]


class World:
    """A crowd with everything that it needs, all of it made up; `events` happen at the n-th level, from 0."""

    def __init__(self, lab: Lab, address: tuple[str, int], results: Path) -> None:
        self.lab, self.results = lab, results
        self.runtime, self.watcher = FakeRuntime(address), Watcher()
        self.events: dict[int, BaseException] = {}
        self.room = 10**6
        self.connected: list[int] = []
        self.on_disk: list[int] = []

    @contextmanager
    def holding(self, runtime: object, plan: object, shares: Sequence[int]) -> Iterator[FakeUsers]:
        self.on_disk.append(len(RunFolder.open(self.results / "latest").read_trials(CrowdRecord)))
        number = len(self.connected)
        self.connected.append(sum(shares))
        if number in self.events:
            raise self.events[number]
        yield FakeUsers(shares, self.room)

    def plan(self, **changes: Any) -> planning.Plan[CrowdExperiment]:
        changes = {"models": ["B", "C"], "crowd": SHORT, **changes}
        return planning.plan(self.lab.root, ROOT / "experiments" / "crowd.toml", changes, CrowdExperiment)

    def measure(self, plan: planning.Plan[CrowdExperiment]) -> session.Outcome:
        place: Any = Place(self.runtime, "a test", "hey", {1.0: cores.plan(1, range(4))})  # type: ignore[arg-type]
        return session.measure(plan, place, self.results, self.watcher)


@pytest.fixture
def world(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with answering() as address:
        made = World(lab, address, tmp_path / "results")
        monkeypatch.setattr(run, "holding", made.holding)
        monkeypatch.setattr(run, "SETTLE_S", 0.0)
        monkeypatch.setattr(limits, "raise_soft_limits", list)
        monkeypatch.setattr(limits, "read", Facts)
        yield made


def levels(folder: RunFolder) -> list[tuple[str, str, int]]:
    return [(record.model, record.transport, record.asked) for record in folder.read_trials(CrowdRecord)]


def shown(folder: RunFolder) -> str:
    console = Console(width=120, file=io.StringIO(), record=True)
    report_run(console, folder)
    return console.export_text()


ALL = [
    (model, transport, users)
    for model, transport in (("B", "poll"), ("C", "websocket"), ("C", "poll"))
    for users in (5, 10)
]


def test_each_level_has_a_server_of_its_own_and_is_on_disk_as_it_ends(world: World) -> None:
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.reason, levels(outcome.folder)) == (0, "", ALL)
    assert world.on_disk == [0, 1, 2, 3, 4, 5]  # and so the folder is there before the first level
    starts = [entry.split()[0] for entry in world.runtime.log]
    assert starts == ["open", *["start", "stop"] * 6, "close"]
    info = outcome.folder.read_run()
    assert (info.kind, info.generator, info.status, info.trials_planned) == ("crowd", "crowd", "complete", 6)
    first = outcome.folder.read_trials(CrowdRecord)[0]
    assert outcome.folder.read_rows(first.rows, "users", Entry)[4] == Entry(4, 4.0, 4.1, 4.2, "held")
    assert len(outcome.folder.read_rows(first.rows, "clicks", Click)) == 5
    assert world.watcher.count == 6
    assert world.watcher.begun[:3] == ["B poll: 5 users", "B poll: 10 users", "C websocket: 5 users"]
    assert world.watcher.lines[0].text == "B poll            5 users   held       5   median click  too few"


def test_a_form_is_a_server_of_its_own_and_a_continued_run_knows_which_it_has(world: World) -> None:
    changes: dict[str, Any] = {
        "models": ["C"],
        "crowd": {**SHORT, "transports": ["websocket"], "forms": ["usual", "lean"]},
    }
    world.events[3] = Interrupted(signal.SIGINT)
    folder = world.measure(world.plan(**changes)).folder
    assert [(record.form, record.asked) for record in folder.read_trials(CrowdRecord)] == [
        ("usual", 5),
        ("usual", 10),
        ("lean", 5),
    ]
    assert world.watcher.begun[2:] == ["C websocket, lean: 5 users", "C websocket, lean: 10 users"]
    assert world.watcher.lines[2].text.startswith("C websocket, lean       5 users   held")
    world.events.clear()
    world.measure(planning.resumed(world.lab.root, folder.path, CrowdExperiment))
    records = folder.read_trials(CrowdRecord)
    assert [(record.index, record.form, record.asked) for record in records] == [
        (0, "usual", 5), (1, "usual", 10), (2, "lean", 5), (3, "lean", 10)
    ]  # fmt: skip
    text = " ".join(shown(folder).split())
    assert "C (asyncio, WebSocket) held all 10 users" in text
    assert "C (asyncio, WebSocket, lean) held all 10 users" in text


def test_the_reports_are_made_of_the_run_folder_alone(world: World) -> None:
    folder = world.measure(world.plan()).folder
    text = shown(folder)
    assert "B (Thread pool, long poll) held all 10 users" in " ".join(text.split())
    assert text.rstrip().endswith("/report.html")
    summary = json.loads((folder.path / "summary.json").read_text())
    assert (summary["schema"], summary["kind"], summary["status"], len(summary["cells"])) == (2, "crowd", "complete", 6)
    assert "## Which users are held" in (folder.path / "report.md").read_text()
    assert (folder.path / "report.html").read_text().rstrip().endswith("</html>")


def test_the_most_is_tried_where_the_level_before_held_all_of_its_users(world: World) -> None:
    world.room = 7
    plan = world.plan(models=["C"], crowd={**SHORT, "most": 20, "transports": ["poll"]})
    assert levels(world.measure(plan).folder) == [("C", "poll", 5), ("C", "poll", 10)]
    assert [line.style for line in world.watcher.lines] == [None, "yellow"]
    world.room = 10
    outcome = world.measure(plan)
    assert levels(outcome.folder) == [("C", "poll", 5), ("C", "poll", 10), ("C", "poll", 20)]
    assert (outcome.exit_status, outcome.folder.read_run().trials_planned) == (0, 3)
    assert world.watcher.count == 0  # whether it is tried is not known beforehand


def test_a_level_is_as_high_as_the_machine_allows_and_says_why(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "read", lambda: Facts(files=64 + 8))
    plan = world.plan(models=["C"], crowd={**SHORT, "most": 20, "transports": ["poll"]})
    records = world.measure(plan).folder.read_trials(CrowdRecord)
    assert [(record.asked, record.users) for record in records] == [(5, 5), (10, 8)]  # the most would be 8 again
    assert world.watcher.lines[1].note == records[1].capped
    assert records[1].capped.startswith("8 of 10 users can connect: ")
    monkeypatch.setattr(limits, "read", lambda: Facts(files=64))
    runs = sorted(world.results.iterdir())
    with pytest.raises(UsageError, match=r"^USERS=5: no user can connect: 0 of 5 users can connect: "):
        world.measure(plan)
    assert sorted(world.results.iterdir()) == runs  # it is told before there is a folder


def test_a_level_that_fails_is_recorded_and_the_others_go_on(world: World) -> None:
    world.events = {1: LoadFailed("the load driver has ended: killed")}
    outcome = world.measure(world.plan())
    records = outcome.folder.read_trials(CrowdRecord)
    assert (outcome.exit_status, outcome.folder.read_run().status, levels(outcome.folder)) == (1, "failed", ALL)
    assert [record.valid for record in records] == [True, False, True, True, True, True]
    assert (records[1].reason, records[1].rows) == ("the load driver has ended: killed", {})
    assert world.watcher.lines[1].style == "red"
    assert "this trial is not counted: the load driver has ended: killed" in " ".join(shown(outcome.folder).split())


@pytest.mark.parametrize("number", [1, 4])
def test_an_interruption_leaves_a_report_and_the_run_can_go_on(world: World, number: int) -> None:
    world.events = {number: Interrupted(signal.SIGINT)}
    outcome = world.measure(world.plan())
    assert (outcome.exit_status, outcome.folder.read_run().status) == (130, "partial")
    assert levels(outcome.folder) == ALL[:number]
    assert world.runtime.log[-2:] == ["stop C" if number > 1 else "stop B", "close"]
    assert f"This run was interrupted: it has {number} of 6 trials." in shown(outcome.folder)
    assert "interrupted" in (outcome.folder.path / "report.html").read_text()
    again = world.measure(planning.resumed(world.lab.root, outcome.folder.path, CrowdExperiment))
    assert again.folder.path == outcome.folder.path
    assert (again.exit_status, levels(again.folder), again.folder.read_run().status) == (0, ALL, "complete")
    assert [record.index for record in again.folder.read_trials(CrowdRecord)] == [0, 1, 2, 3, 4, 5]
    assert len(world.connected) == 7  # no level is measured twice
    assert "interrupted" not in shown(again.folder)
    with pytest.raises(UsageError, match="is complete: there is nothing to resume"):
        planning.resumed(world.lab.root, again.folder.path, CrowdExperiment)


def test_a_run_that_goes_on_measures_a_level_that_failed_again(world: World) -> None:
    world.events = {1: LoadFailed("the load driver has ended: killed")}
    outcome = world.measure(world.plan())
    world.events = {}
    again = world.measure(planning.resumed(world.lab.root, outcome.folder.path, CrowdExperiment))
    assert (again.exit_status, levels(again.folder), again.folder.read_run().status) == (0, ALL, "complete")
    assert [(record.index, record.valid) for record in again.folder.read_trials(CrowdRecord)] == [
        (index, True) for index in range(6)
    ]
    assert len(world.connected) == 7
    assert "not counted" not in shown(again.folder)


def test_a_run_that_goes_on_knows_which_server_has_not_held_all(world: World) -> None:
    world.events, world.room = {2: Interrupted(signal.SIGTERM)}, 7
    outcome = world.measure(world.plan(crowd={**SHORT, "most": 20, "transports": ["poll"]}))
    assert (outcome.exit_status, levels(outcome.folder)) == (143, [("B", "poll", 5), ("B", "poll", 10)])
    world.room = 10**6
    again = world.measure(planning.resumed(world.lab.root, outcome.folder.path, CrowdExperiment))
    assert levels(again.folder)[2:] == [("C", "poll", 5), ("C", "poll", 10), ("C", "poll", 20)]


def test_only_models_that_have_such_a_chat_server_are_measured(world: World) -> None:
    plan = world.plan(models=["main"], crowd={**SHORT, "transports": ["websocket"]})
    assert [model.letter for model in plan.models] == ["C"]
    assert KIND.count(plan.experiment, plan.models) == 2
    with pytest.raises(UsageError, match="no chat server of A supports websocket"):
        world.plan(models=["A"], crowd={**SHORT, "transports": ["websocket"]})


def test_resume_takes_no_other_option_and_no_other_kind(inside: Run, tmp_path: Path, world: World) -> None:
    world.events = {1: Interrupted(signal.SIGINT)}
    folder = world.measure(world.plan()).folder
    for arguments, said in (
        (("crowd", "--resume", str(folder.path), "--users", "9"), "RESUME goes on with the experiment of that run"),
        (("bench", "--resume", str(folder.path)), "is of kind crowd: make crowd RESUME="),
    ):
        done = inside(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert said in done.stderr
