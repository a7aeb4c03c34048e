"""The life of a run of `iolab freeze`, on a server that is made up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iolab import planning
from iolab.errors import UsageError
from iolab.host.signals import Interrupted
from iolab.kinds import registry
from iolab.kinds.freeze import run as freeze
from iolab.kinds.freeze.records import FreezeRecord
from iolab.lab import Lab
from iolab.loadgen.openloop import Arrivals, OpenLoad
from iolab.results.samples import OpenSample, Sample
from tests.kinds.worlds import World, wait_for_two_more

SHORT = {"freeze": {"after_s": 0.01, "for_s": 0.01, "run_s": 0.2}}


class Planned:
    """Takes the place of the open loop; `event` is raised instead of a load, if there is one."""

    event: BaseException | None = None
    waited = 0

    def __init__(self, world: World) -> None:
        self._world = world

    def closed(self, *_: Any) -> None:
        """A warm-up."""

    def run(self, url: str, plan: Arrivals, answer_limit_s: float) -> OpenLoad:
        self._world.look()
        if self.event:
            raise self.event
        wait_for_two_more(self._world.froze)
        moments = [number / plan.rate_rps for number in range(int(plan.rate_rps * plan.duration_s))]
        samples = [OpenSample(each, each + 0.001, each + 0.021, 200, None) for each in moments]
        return OpenLoad(samples, 0.2, waited=self.waited, most_open=7, read_late_s=[0.001])


@pytest.fixture
def planned(world: World, monkeypatch: pytest.MonkeyPatch) -> Planned:
    made_up = Planned(world)

    @contextmanager
    def running_generator(*_: object) -> Iterator[Planned]:
        yield made_up

    monkeypatch.setattr(freeze, "running_generator", running_generator)
    return made_up


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    made = World(lab, tmp_path, "freeze", ("127.0.0.1", 1), **SHORT)
    made.generator.counted = made.froze
    return made


def test_each_way_of_counting_is_a_trial_that_is_on_disk_as_it_ends(world: World, planned: Planned) -> None:
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (0, "complete")
    assert world.on_disk == [0, 0, 1]  # a warm-up, the closed loop, the planned arrivals
    records = outcome.folder.read_trials(FreezeRecord)
    assert [(each.name, each.generator) for each in records] == [("closed loop", "hey"), ("planned", "iolab")]
    rows = [outcome.folder.read_rows(each.rows, "requests", Sample) for each in records]
    assert [len(each) for each in rows] == [40, 36]
    assert {round(sample.latency_s or 0, 6) for sample in rows[1]} == {0.021}  # from when it was to be sent
    assert [entry for entry in world.runtime.log if entry.endswith(" C")] == ["stop C", "stop C"]
    assert "40 requests" in world.watcher.lines[0].text


def test_what_limited_the_client_is_a_finding_here_too(world: World, planned: Planned) -> None:
    planned.waited = 12
    folder = world.measure().folder
    closed, other = folder.read_trials(FreezeRecord)
    assert (other.client.waited, other.client.most_open, other.client.loop_late_p99_ms) == (12, 7, 1.0)
    assert closed.client.waited is None
    cells = registry.kind("freeze").report(folder).cells
    found = {each["id"] for each in cells[1]["findings"]}
    assert found - {"not_checked"} == {"no_connection_left"}  # the made-up trial is too short to be looked at


def test_reports_are_made_of_what_is_on_disk(world: World, planned: Planned) -> None:
    outcome = world.measure()
    summary, texts = world.report(outcome.folder)
    assert {name: summary[name] for name in ("schema", "kind", "experiment", "runtime", "status")} == {
        "schema": 2,
        "kind": "freeze",
        "experiment": "freeze",
        "runtime": "local",
        "status": "complete",
    }
    closed, arrivals = summary["cells"]
    assert (closed["name"], closed["requests"], closed["p50"], closed["valid"]) == ("closed loop", 40, 20.0, True)
    assert (arrivals["name"], arrivals["requests"], arrivals["p50"]) == ("planned", 36, 21.0)
    assert "the difference between the two is small" in texts["terminal"]
    assert texts["terminal"].rstrip().endswith("report.html")
    for text in texts.values():
        assert "This run" not in text
        assert "closed loop (hey)" in text


def test_an_interrupted_run_can_be_read_and_goes_on_with_what_is_missing(world: World, planned: Planned) -> None:
    planned.event = Interrupted(2)
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (130, "partial")
    assert [record.index for record in world.trials(outcome.folder)] == [0]
    assert world.runtime.log[-1] == "close"
    assert world.runtime.log.count("start C 1") == world.runtime.log.count("stop C")
    _, texts = world.report(outcome.folder)
    for text in texts.values():
        assert "This run was interrupted: it has 1 of 2 trials." in text
        assert "planned (locust)" not in text
    planned.event = None
    again = world.resume(outcome.folder)
    assert (again.exit_status, again.folder.path) == (0, outcome.folder.path)
    assert [record.index for record in world.trials(again.folder)] == [0, 1]
    assert world.generator.loads == 1
    with pytest.raises(UsageError, match="is complete: there is nothing to resume"):
        planning.resumed(world.lab.root, again.folder.path, world.kind.settings)


def test_a_standstill_that_did_not_happen_spoils_its_trial_alone(world: World, planned: Planned) -> None:
    world.generator.counted = None
    outcome = world.measure()
    assert (outcome.exit_status, outcome.folder.read_run().status) == (1, "failed")
    records = world.trials(outcome.folder)
    assert [record.valid for record in records] == [False, True]
    assert records[0].reason == "the load ended before the server was frozen for 0.01 s"
    assert len(outcome.folder.read_rows(records[0].rows, "requests", Sample)) == 40  # they stay, and count for nothing
    summary, texts = world.report(outcome.folder)
    assert [cell["valid"] for cell in summary["cells"]] == [False, True]
    for text in texts.values():
        assert "This run failed: it has 2 of 2 trials" in text
        assert "closed loop: this trial is not valid: the load ended before" in text.replace("</b>", "").replace(
            "*", ""
        )
        assert "closed loop (hey)" not in text


def test_a_load_that_fails_is_a_reason_and_its_generator_starts_anew(world: World, planned: Planned) -> None:
    world.generator.plan = {0: "generator fails"}
    outcome = world.measure()
    assert [record.reason for record in world.trials(outcome.folder)] == ["hey ended with status 1", None]
    assert world.runtime.log.count("stop C") == 2


def test_a_run_that_goes_on_measures_again_what_failed(world: World, planned: Planned) -> None:
    world.generator.plan = {0: "generator fails"}
    again = world.resume(world.measure().folder)
    assert (again.exit_status, again.folder.read_run().status) == (0, "complete")
    assert [(record.index, record.valid) for record in world.trials(again.folder)] == [(0, True), (1, True)]


@pytest.mark.parametrize(("models", "said"), [(["all"], "MODELS=all"), (["A", "C"], "MODELS=A,C")])
def test_one_server_at_a_time_stands_still(lab: Lab, tmp_path: Path, models: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=f"^{said}: one server at a time can be frozen: name one$"):
        World(lab, tmp_path, "freeze", ("127.0.0.1", 1), models=models).plan()


def test_what_the_machine_did_is_a_finding_of_each_cell(world: World, planned: Planned) -> None:
    world.runtime.pinned = False
    summary, texts = world.report(world.measure().folder)
    assert ["not_pinned" in {each["id"] for each in cell["findings"]} for cell in summary["cells"]] == [True] * 2
    for text in texts.values():
        assert "every trial: this platform cannot pin processes to cores" in text.replace("</b>", "").replace("*", "")
