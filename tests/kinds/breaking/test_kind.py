"""The life of a run of `iolab break`, on servers that are made up; only the bystander really asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from iolab import planning
from iolab.errors import UsageError
from iolab.kinds.breaking.records import BreakRecord
from iolab.lab import Lab
from iolab.results.samples import Sample
from tests.fakes import ANSWERED, FakeServer, answering
from tests.kinds.breaking.test_plan import LOG
from tests.kinds.worlds import World

STRATEGIES = [
    {"name": "await", "work": "wait", "place": "await"},
    {"name": "in the loop", "work": "wait", "place": "loop"},
    {"name": "thread pool", "service": "threadpool", "work": "compute", "place": "thread"},
]


@pytest.fixture
def bystander_ms() -> int:
    return 5


@pytest.fixture
def world(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bystander_ms: int) -> Iterator[World]:
    monkeypatch.setattr(FakeServer, "log", lambda self: LOG)
    short = {"seconds": 0.05, "bystander_ms": bystander_ms, "strategies": STRATEGIES}
    with answering() as address:
        made = World(lab, tmp_path, "break", address, concurrency=[4], broken=short)
        made.generator.counted = lambda: len(ANSWERED)
        yield made


def test_each_way_and_each_search_is_a_trial_that_is_on_disk_as_it_ends(world: World) -> None:
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (0, "complete")
    assert [model.service for model in outcome.folder.read_run().models] == ["broken", "threadpool"]
    assert world.on_disk == [0, 0, 1, 1, 2, 2, 3]  # warm-up and load of each strategy, then the search
    assert world.watcher.begun == ["await", "in the loop", "thread pool", "in the loop, its culprit"]
    records = outcome.folder.read_trials(BreakRecord)
    assert [(each.strategy.name, each.seeks) for each in records] == [
        ("await", False),
        ("in the loop", False),
        ("thread pool", False),
        ("in the loop", True),
    ]
    for each in records[:3]:
        rows = {kind: outcome.folder.read_rows(each.rows, kind, Sample) for kind in ("requests", "bystander")}
        assert len(rows["requests"]) % 4 == 0
        assert {sample.status for sample in rows["bystander"]} == {200}
        assert each.server.cpu_s is not None
        assert each.machine.span_s is not None
    culprit = records[3].culprit
    assert culprit
    assert culprit.line
    assert (culprit.line.what, records[3].rows) == ("time.sleep(WAIT_S)", {})
    assert world.runtime.log.count("open generator") == 1
    assert world.watcher.lines[3].text.endswith("server_broken.py:40 time.sleep(WAIT_S)")


def test_reports_are_made_of_what_is_on_disk(world: World) -> None:
    summary, texts = world.report(world.measure().folder)
    assert (summary["schema"], summary["kind"], summary["status"]) == (2, "break", "complete")
    healthy, blocked, pool = summary["cells"]
    assert (healthy["place"], healthy["culprit"], healthy["concurrency"], healthy["service_ms"]) == (
        "await", None, 4, 20.0,
    )  # fmt: skip
    assert (blocked["requests"], blocked["predicted_throughput_rps"]) == (4, 50.0)
    assert blocked["culprit"]["coroutine"]["what"] == "answer()"
    assert (pool["service"], pool["service_ms"]) == ("threadpool", 5.0)
    for text in texts.values():
        assert "This run" not in text
        assert "How long do 4 users and a bystander wait if a request blocks the event loop?" in text.replace("\n", " ")
        assert "server_broken.py:40" in text
    assert "a request that computes 5 ms" in texts["report.md"]
    assert "| await | 20.0 ms | 20.0 ms |" in texts["report.md"]
    assert texts["terminal"].rstrip().endswith("report.html")


def test_an_interrupted_run_can_be_read_and_goes_on_with_what_is_missing(world: World) -> None:
    world.generator.plan = {1: "interrupt"}
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (130, "partial")
    assert [record.index for record in world.trials(outcome.folder)] == [0]
    assert world.runtime.log[-1] == "close"
    assert sum(entry.startswith("start") for entry in world.runtime.log) == sum(
        entry.startswith("stop") for entry in world.runtime.log
    )
    _, texts = world.report(outcome.folder)
    for text in texts.values():
        assert "This run was interrupted: it has 1 of 4 trials." in text
        assert "server_broken.py" not in text
    world.generator.plan = {}
    again = world.resume(outcome.folder)  # its server is one that no benchmark measures
    assert (again.exit_status, again.folder.path) == (0, outcome.folder.path)
    assert [record.index for record in world.trials(again.folder)] == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="is complete: there is nothing to resume"):
        planning.resumed(world.lab.root, again.folder.path, world.kind.settings)


def test_a_way_that_fails_spoils_its_trial_alone(world: World) -> None:
    world.generator.plan = {0: "some unanswered", 1: "generator fails", 3: "server dies"}
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (1, "failed")
    records = world.trials(outcome.folder)
    assert [record.reason for record in records] == [
        "3 of 12 requests got no answer 200",
        "hey ended with status 1",
        None,
        "the server ended with status 139",
    ]
    assert len(outcome.folder.read_rows(records[0].rows, "requests", Sample)) == 12  # they stay, and count for nothing
    assert world.runtime.log.count("open generator") == 3  # anew after each load that failed
    summary, texts = world.report(outcome.folder)
    assert [cell["valid"] for cell in summary["cells"]] == [False, False, True]
    for text in texts.values():
        told = text.replace("</b>", "").replace("*", "")
        assert "error, await: this trial is not valid: 3 of 12 requests got no answer 200" in told
        assert "error, in the loop, its culprit: this trial is not valid: the server ended with status 139" in told
    assert "| await |" not in texts["report.md"]


def test_a_run_that_goes_on_measures_again_what_failed(world: World) -> None:
    world.generator.plan = {1: "generator fails", 3: "server dies"}
    outcome = world.measure()
    world.generator.plan = {}
    again = world.resume(outcome.folder)
    assert (again.exit_status, again.folder.read_run().status) == (0, "complete")
    assert [(each.index, each.valid) for each in world.trials(again.folder)] == [(index, True) for index in range(4)]


@pytest.mark.parametrize("bystander_ms", [10_000])  # later than a load that is made up ends
def test_a_bystander_without_an_answer_spoils_its_trial(world: World) -> None:
    world.generator.counted = None
    outcome = world.measure()
    assert world.trials(outcome.folder)[0].reason == "await: the load ended before the bystander got an answer"


def test_a_server_that_does_not_start_spoils_its_own_trials_alone(world: World) -> None:
    world.runtime.refuses = frozenset("B")
    outcome = world.measure()
    assert [record.valid for record in world.trials(outcome.folder)] == [True, True, False, True]


def test_what_the_machine_did_is_a_finding_of_each_cell(world: World) -> None:
    world.runtime.pinned = False
    summary, texts = world.report(world.measure().folder)
    assert ["not_pinned" in {each["id"] for each in cell["findings"]} for cell in summary["cells"]] == [True] * 3
    for text in texts.values():
        assert "every trial: this platform cannot pin processes to cores" in text.replace("</b>", "").replace("*", "")
