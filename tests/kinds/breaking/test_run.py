"""What each strategy asks of its server, and the bystander, on servers that are made up."""

import threading

import pytest

from iolab import planning
from iolab.errors import UsageError
from iolab.kinds.breaking import run as breaking
from iolab.kinds.breaking.plan import trials
from iolab.kinds.breaking.settings import BreakExperiment
from tests.conftest import ROOT
from tests.fakes import FakeServer, answering
from tests.waiting import wait_until

PLAN = planning.plan(ROOT, ROOT / "experiments" / "break.toml", {}, BreakExperiment)


def test_a_way_waits_or_computes_and_never_both() -> None:
    for strategy in PLAN.experiment.broken.strategies:
        found = PLAN.experiment.variables_of(strategy)
        assert (found["WAIT_MS"], found["CPU_MS"]) == (("20", "0") if strategy.work == "wait" else ("0", "5"))
        assert found["WORK_IN"] == strategy.place
        assert found["POOL"] == found["THREADS"] == str(strategy.pool)
        assert found["WATCH_MS"] == "0"  # a watchdog costs, and is not there where times are measured


def test_the_servers_are_those_that_the_ways_name() -> None:
    assert [model.name for model in PLAN.models] == ["broken", "threadpool"]


def test_a_name_that_no_server_has_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="service=nobody: no such model"):
        breaking.server_of(PLAN.lab, "nobody")
    strategies = [{"name": "a strategy", "service": "nobody", "work": "wait", "place": "loop"}]
    with pytest.raises(UsageError, match="service=nobody: no such model"):
        planning.plan(
            ROOT, ROOT / "experiments" / "break.toml", {"broken": {"strategies": strategies}}, BreakExperiment
        )


def test_after_the_ways_a_culprit_is_sought_for_each_that_works_in_the_loop() -> None:
    found = trials(PLAN.experiment.broken.strategies)
    assert [trial.index for trial in found] == list(range(10))
    assert [trial.strategy for trial in found[:8]] == list(PLAN.experiment.broken.strategies)
    assert [(trial.seeks, trial.name) for trial in found[8:]] == [
        (True, "time.sleep in the loop, its culprit"),
        (True, "computing in the loop, its culprit"),
    ]


def test_the_bystander_asks_again_and_again_until_the_load_is_over() -> None:
    with answering() as address:
        before = set(threading.enumerate())
        with breaking.bystander(FakeServer(address, [], "X"), 0.01) as seen:
            wait_until(lambda: len(seen) >= 3)
        assert all(sample.status == 200 and sample.latency_s for sample in seen)
        wait_until(lambda: not set(threading.enumerate()) - before)  # nobody is left who could ask


def test_a_bystander_without_an_answer_is_told_as_one() -> None:
    with breaking.bystander(FakeServer(("127.0.0.1", 1), [], "X"), 0.01) as seen:
        wait_until(lambda: seen)
    assert {(sample.latency_s, sample.status) for sample in seen} == {(None, 0)}
