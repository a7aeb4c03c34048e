"""The life of a search for the highest rate: its trials, interruptions, what breaks it; on a made-up world."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iolab.errors import UsageError
from iolab.kinds import arrivals
from iolab.kinds.slo import analysis, document
from iolab.kinds.slo.plan import BISECTIONS
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.settings import SloExperiment
from iolab.lab import Lab
from iolab.report import numbers
from iolab.report.doubts import Found
from iolab.results.folder import RunFolder
from tests import quiet
from tests.planned import SERVICE_S, World

SMALL = {"models": ["A"], "objective": "mean<60ms", "search": {"lead_s": 1.0}}


@pytest.fixture
def world(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(lab, tmp_path / "results", SloExperiment, monkeypatch)


def summary(folder: RunFolder) -> Any:
    return json.loads((folder.path / "summary.json").read_text())


def rates(folder: RunFolder) -> list[float]:
    return [record.rate_rps for record in folder.read_trials(SloRecord)]


def test_a_search_ends_between_none_and_all_and_each_step_is_on_disk(world: World) -> None:
    outcome = world.measure(world.plan("slo", **SMALL))
    assert (outcome.exit_status, outcome.folder.read_run().status) == (0, "complete")
    trials = 2 + BISECTIONS
    assert world.on_disk == list(range(trials))
    assert outcome.folder.read_run().trials_planned == trials
    assert (world.calibrations(), world.watcher.count) == (1, 0)
    printed = world.printed(outcome.folder)
    assert "What is the highest rate of arrivals at which mean<60ms holds?" in printed
    assert "A meets mean<60ms up to" in printed
    assert "/report.html" in printed
    whole = summary(outcome.folder)
    (cell,) = whole["cells"]
    assert (whole["schema"], whole["kind"], whole["objective"]) == (2, "slo", "mean<60ms")
    assert 0.2 / SERVICE_S < cell["highest_rps"] < cell["broken_rps"] < 0.98 / SERVICE_S
    assert cell["theory_rps"] == pytest.approx(0.8 / SERVICE_S, rel=0.002)  # an M/D/1 queue's mean is 3 S at 80%
    assert [trial["rate_rps"] for trial in cell["trials"]] == rates(outcome.folder)
    assert "## Steps" in (outcome.folder.path / "report.md").read_text()
    page = (outcome.folder.path / "report.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert 'src="http' not in page
    assert world.watcher.begun[:2] == ["A, the highest rate", "A, 10 a second"]
    shown = [line.text.rpartition("   mean ")[2] for line in world.watcher.lines[:2]]
    values = [record.value_s for record in outcome.folder.read_trials(SloRecord)[:2]]
    figures = [numbers.latency(value) for value in values]
    assert [each.strip() for each in shown] == [f"{figures[0]}, is not below 60ms", f"{figures[1]}, is below 60ms"]


def test_an_interrupted_search_can_be_read_and_goes_on_to_the_same_end(world: World) -> None:
    whole = world.measure(world.plan("slo", **SMALL))
    world.loop.plans.clear()
    world.loop.events = {3: "interrupt"}
    outcome = world.measure(world.plan("slo", **SMALL))
    assert (outcome.exit_status, outcome.folder.read_run().status) == (130, "partial")
    assert len(world.lines(outcome.folder)) == 3
    printed = world.printed(outcome.folder)
    assert "This run was interrupted: it has 3 trials. The search has ended for 0 of 1 models." in printed
    assert "The search for A did not end: it was interrupted." in printed
    assert "A meets mean<60ms at" in printed
    assert [cell["valid"] for cell in summary(outcome.folder)["cells"]] == [False]
    world.loop.events = {}
    calibrated = world.calibrations()
    again = world.measure(world.resume(outcome.folder))
    assert (again.exit_status, again.folder.path) == (0, outcome.folder.path)
    assert rates(again.folder) == rates(whole.folder)
    assert world.calibrations() == calibrated
    assert "was interrupted" not in world.printed(again.folder)


def test_after_one_step_there_is_a_report(world: World) -> None:
    world.loop.events = {1: "interrupt"}
    outcome = world.measure(world.plan("slo", **SMALL))
    assert "A does not meet mean<60ms at 49.0/s. The search for A did not end" in world.printed(outcome.folder)


def test_a_search_begins_with_a_rate_whose_requests_a_run_can_hold(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = rates(world.measure(world.plan("slo", **SMALL)).folder)[0]
    search = world.plan("slo", **SMALL).experiment.search
    longest_s = search.lead_s + max(search.least_s, search.most_s)
    monkeypatch.setattr(arrivals, "MOST_REQUESTS", round(usual * longest_s / 2))
    assert rates(world.measure(world.plan("slo", **SMALL)).folder)[0] == pytest.approx(usual / 2, rel=0.05)


def test_requests_without_an_answer_break_the_objective(world: World) -> None:
    world.loop.events = {0: "unanswered", 1: "unanswered"}
    outcome = world.measure(world.plan("slo", **SMALL))
    assert outcome.exit_status == 0
    records = outcome.folder.read_trials(SloRecord)
    assert [(one.valid, one.value_s, one.holds, one.errors) for one in records] == [(True, None, False, 3)] * 2
    assert "A does not meet mean<60ms at any rate that was tried." in world.printed(outcome.folder)


def test_a_step_that_is_not_valid_ends_its_model_s_search_alone(world: World) -> None:
    world.loop.events = {2: "server dies"}
    outcome = world.measure(world.plan("slo", **(SMALL | {"models": ["A", "C"]})))
    assert (outcome.exit_status, outcome.folder.read_run().status) == (1, "failed")
    records = outcome.folder.read_trials(SloRecord)
    assert [(one.model, one.valid) for one in records] == [("A", True), ("A", True), ("A", False), ("C", True)]
    printed = world.printed(outcome.folder)
    assert "The search for A did not end: the server ended with status 139." in printed
    assert "C meets mean<60ms at 1500/s, the highest rate that was tried." in printed
    assert "error, A: A at 22.1/s: this trial is not valid: the server ended with status 139" in printed
    assert world.watcher.lines[2].style == "red"


def test_what_disturbed_the_machine_is_said_once_a_model(world: World) -> None:
    found = analysis.analyse(world.measure(world.plan("slo", **SMALL)).folder)

    def findings(*steal_s: float) -> list[Found]:
        machines = [quiet.machine(steal_s=(each, 0.0)) for each in steal_s]
        records = [
            record.model_copy(update={"machine": machines[number % len(machines)]})
            for number, record in enumerate(found.records)
        ]
        return list(document.report(replace(found, records=tuple(records))).findings)

    assert [each for each in findings(0.0) if "hypervisor" in each.message] == []
    (stolen,) = [each for each in findings(1.0, 2.0) if "hypervisor" in each.message]
    assert (stolen.place, stolen.severity) == ("A", "warning")
    assert "took 50% of the CPU time of core 0 (the server's)" in stolen.message


def test_a_search_that_goes_on_takes_the_step_that_failed_again_and_comes_to_the_same_end(world: World) -> None:
    models = SMALL | {"models": ["A", "C"]}
    whole = world.measure(world.plan("slo", **models))
    world.loop.plans.clear()
    world.loop.events = {2: "server dies"}
    outcome = world.measure(world.plan("slo", **models))
    assert len(world.lines(outcome.folder)) == 4
    world.loop.events = {}
    again = world.measure(world.resume(outcome.folder))
    assert (again.exit_status, again.folder.read_run().status) == (0, "complete")
    trials = [
        {(record.index, record.model, record.rate_rps) for record in run.folder.read_trials(SloRecord)}
        for run in (whole, again)
    ]
    assert trials[0] == trials[1]
    assert len(world.lines(again.folder)) == len(trials[0]) + 1
    assert "has not come to its end" not in world.printed(again.folder)


def test_what_is_no_objective_is_refused_before_anything_is_opened(world: World) -> None:
    with pytest.raises(UsageError, match=r"SLO=p99<fast: must be such as p99<100ms"):
        world.plan("slo", objective="p99<fast")
    assert not world.results.exists()
