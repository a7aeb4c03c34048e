"""The real loop on a made-up world."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iolab import planning, session
from iolab.errors import LoadFailed
from iolab.host import cores
from iolab.host.cores import CpuPlan
from iolab.kinds.closed.records import ClosedRecord
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Lab
from iolab.loadgen import LoadGenerator
from iolab.results.samples import Sample
from iolab.runtime.choice import Place
from tests.conftest import ROOT
from tests.fakes import FakeGenerator, FakeRuntime, Watcher, answering


class World:
    """A run with everything that it needs, all of it made up."""

    def __init__(self, lab: Lab, address: tuple[str, int], results: Path, **changes: Any) -> None:
        random_waits = {"wait_distribution": "exponential"}  # whose first answer may come at once
        changes = {"models": ["A", "C"], "concurrency": [4], "repeats": 2, "server": random_waits, **changes}
        self.plan = planning.plan(lab.root, ROOT / "experiments" / "bench.toml", changes, ClosedExperiment)
        self.runtime = FakeRuntime(address)
        self.generator = FakeGenerator(self.runtime)
        self.generator_refuses = 0
        self.watcher = Watcher()
        self.results = results

    def run(self) -> session.Outcome:
        @contextmanager
        def opened(runtime: object, plan: CpuPlan) -> Iterator[LoadGenerator]:
            self.runtime.log.append(f"open generator {plan.loadgen}")
            if self.generator_refuses:
                self.generator_refuses -= 1
                raise LoadFailed("the load driver gave no answer")
            yield self.generator

        plans = {limit: cores.plan(limit, range(4)) for limit in self.plan.experiment.cpus}
        place: Any = Place(self.runtime, "a test", "hey", plans)  # type: ignore[arg-type]
        self.outcome = session.measure(self.plan, place, self.results, self.watcher, opened)
        self.folder = self.outcome.folder
        return self.outcome

    def on_disk(self) -> list[ClosedRecord]:
        return self.folder.read_trials(ClosedRecord)


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> Iterator[World]:
    with answering() as address:
        yield World(lab, address, tmp_path)


def test_each_trial_is_warmed_up_loaded_and_appended(world: World) -> None:
    assert world.run().exit_status == 0
    assert [record.index for record in world.on_disk()] == [0, 1, 2, 3]
    assert (world.watcher.count, len(world.watcher.lines)) == (4, 4)
    assert world.folder.read_run().status == "complete"
    loads = [entry for entry in world.runtime.log if "x" in entry]
    assert [entry.split()[0] for entry in loads] == ["warm", "load"] * 4
    assert {entry for entry in loads if entry.startswith("load")} == {"load 4x200"}


def test_a_warm_up_has_no_more_users_than_workers(world: World) -> None:
    """More would fill the accept queue before the trial begins."""
    world.run()
    assert "warm up 1x2" in world.runtime.log
    assert "warm up 4x8" in world.runtime.log


def test_each_server_is_started_once_and_everything_is_stopped(world: World) -> None:
    world.run()
    starts = [entry for entry in world.runtime.log if entry in ("open", "close") or entry.startswith(("start", "stop"))]
    assert sorted(starts[1:3]) == ["start A 1", "start C 1"]
    assert sorted(starts[3:5]) == ["stop A", "stop C"]
    assert (starts[0], starts[-1]) == ("open", "close")


def test_new_limits_need_a_new_server(lab: Lab, tmp_path: Path) -> None:
    with answering() as address:
        world = World(lab, address, tmp_path, models=["C"], cpus=[1.0, 2.0], repeats=1)
        world.run()
    starts = [entry for entry in world.runtime.log if entry.startswith(("start", "stop"))]
    assert sorted(starts) == ["start C 1", "start C 2", "stop C", "stop C"]
    assert [entry.split()[0] for entry in starts] == ["start", "stop", "start", "stop"]


def test_limits_that_leave_the_same_cores_to_the_load_share_a_generator(lab: Lab, tmp_path: Path) -> None:
    with answering() as address:
        world = World(lab, address, tmp_path, models=["C"], cpus=[0.5, 1.0, 2.0], repeats=2)
        assert world.run().exit_status == 0
    opened = [entry for entry in world.runtime.log if entry.startswith("open generator")]
    assert sorted(opened) == ["open generator (1, 2, 3)", "open generator (2, 3)"]


def test_a_generator_that_failed_is_opened_anew(world: World) -> None:
    world.generator.plan = {1: "generator fails"}
    world.run()
    assert sum(entry.startswith("open generator") for entry in world.runtime.log) == 2


def test_a_generator_that_does_not_open_spoils_its_trial_alone(world: World) -> None:
    world.generator_refuses = 1
    assert world.run().exit_status == 1
    assert [record.valid for record in world.on_disk()] == [False, True, True, True]
    assert world.on_disk()[0].reason == "the load driver gave no answer"


def test_the_limit_of_a_trial_grows_with_what_theory_says(lab: Lab, tmp_path: Path) -> None:
    with answering() as address:
        world = World(lab, address, tmp_path, models=["A"], concurrency=[200], repeats=1)
        world.run()
    measured = world.generator.jobs[-1]
    assert measured.answer_limit_s == pytest.approx(5 * 200 * 0.02)
    assert measured.timeout_s >= 60 + 5 * 200 * 0.02


def test_usage_is_the_difference_and_peaks_are_peaks(world: World) -> None:
    world.run()
    usage = world.on_disk()[0].server
    assert usage.cpu_s is not None
    assert usage.cpu_s >= 1
    assert usage.threads_peak == 2 + int(usage.cpu_s - 1)
    assert usage.rss_peak_bytes == 99
    assert usage.listen_overflows is not None
    assert usage.listen_overflows >= 10
    assert world.on_disk()[0].client.cpu_s == 0.5


@pytest.mark.parametrize(
    ("event", "reason", "kept"),
    [
        ("server dies", "the server ended with status 139", 200),
        ("generator fails", "hey ended with status 1", 0),
        ("nothing answered", "200 of 200 requests got no answer 200", 200),
        ("some unanswered", "3 of 200 requests got no answer 200", 200),
    ],
)
def test_a_trial_that_fails_is_recorded_and_the_others_go_on(world: World, event: str, reason: str, kept: int) -> None:
    world.generator.plan = {1: event}
    assert world.run().exit_status == 1
    records = world.on_disk()
    assert [record.valid for record in records] == [True, False, True, True]
    assert records[1].reason == reason
    assert records[1].sent == kept
    assert len(world.folder.read_rows(records[1].rows, "requests", Sample)) == kept
    failed = records[1].model
    assert world.runtime.log.count(f"start {failed} 1") == 2  # anew after the failure


@pytest.mark.parametrize("number", [0, 2])
def test_a_run_that_goes_on_measures_again_what_failed(world: World, number: int) -> None:
    world.generator.plan = {number: "server dies"}
    assert world.run().exit_status == 1
    world.generator.plan = {}
    world.plan = planning.resumed(world.plan.lab.root, world.folder.path, ClosedExperiment)
    assert world.run().exit_status == 0
    assert [(record.index, record.valid) for record in world.on_disk()] == [(index, True) for index in range(4)]
    assert len((world.folder.path / "trials.jsonl").read_text().splitlines()) == 5


def test_a_server_that_does_not_start_spoils_its_own_trials_alone(world: World) -> None:
    world.runtime.refuses = frozenset("A")
    assert world.run().exit_status == 1
    assert {record.model: record.valid for record in world.on_disk()} == {"A": False, "C": True}


def test_an_interruption_keeps_what_was_measured_and_stops_everything(world: World) -> None:
    world.generator.plan = {2: "interrupt"}
    assert world.run().exit_status == 130
    assert world.folder.read_run().status == "partial"
    assert len(world.on_disk()) == 2
    assert world.runtime.log[-1] == "close"
    assert sum(entry.startswith("start") for entry in world.runtime.log) == sum(
        entry.startswith("stop") for entry in world.runtime.log
    )


def test_a_server_that_does_not_wait_is_not_measured(lab: Lab, tmp_path: Path) -> None:
    with answering() as address:
        world = World(lab, address, tmp_path, models=["C"], repeats=1, server={"wait_ms": 500})
        assert world.run().exit_status == 1
    assert "the server does not wait" in str(world.on_disk()[0].reason)


def test_where_starts_are_cheap_every_trial_has_a_server_of_its_own(lab: Lab, tmp_path: Path) -> None:
    with answering() as address:
        world = World(lab, address, tmp_path, models=["C"], repeats=3)
        world.runtime.starts_are_cheap = True
        world.run()
    assert sum(entry.startswith("start") for entry in world.runtime.log) == len(world.on_disk()) == 3


def test_a_generator_s_own_most_is_measured_once_for_the_same_cores(lab: Lab, tmp_path: Path) -> None:
    with answering() as address:
        world = World(lab, address, tmp_path, models=["C"], cpus=[0.5, 1.0, 2.0], repeats=2)
        assert world.run().exit_status == 0
    assert sum(entry.startswith("null server") for entry in world.runtime.log) == 2  # cores 0, and cores 0 and 1
    assert {record.client.ceiling_rps for record in world.on_disk()} == {10_000.0}


def test_a_ceiling_that_cannot_be_measured_costs_no_trial(world: World) -> None:
    world.generator.plan = {99: "no ceiling"}
    assert world.run().exit_status == 0
    assert {record.client.ceiling_rps for record in world.on_disk()} == {None}
