"""The life of a search for the highest rate: its trials, interruptions, what breaks it; on a made-up world."""

import json
from pathlib import Path
from typing import Any

import pytest

from iolab.errors import UsageError
from iolab.kinds import arrivals
from iolab.kinds.slo.plan import FIRST, MOST_TRIALS, NO_QUEUE_RPS
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.settings import SloExperiment
from iolab.lab import Lab
from iolab.loadgen.workers import MOST_RPS
from iolab.results.folder import RunFolder
from tests.planned import SERVICE_S, World

SMALL = {"models": ["A"], "objective": "p95<60ms", "search": {"least_s": 10.0, "most_s": 60.0, "lead_s": 1.0}}
TRUE_RPS = 24.6  # of M/D/1 and 20 ms: there the 95th percentile is 60 ms


@pytest.fixture
def world(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(lab, tmp_path / "results", SloExperiment, monkeypatch)


def summary(folder: RunFolder) -> Any:
    """Return summary.json, which is written with the reports: by `printed`."""
    return json.loads((folder.path / "summary.json").read_text())


def records(folder: RunFolder) -> list[SloRecord]:
    return folder.read_trials(SloRecord)


def rates(folder: RunFolder) -> list[float]:
    return [record.rate_rps for record in records(folder)]


def test_a_search_ends_with_a_bracket_and_each_trial_is_on_disk(world: World) -> None:
    outcome = world.measure(world.plan("slo", **SMALL))
    assert (outcome.exit_status, outcome.folder.read_run().status) == (0, "complete")
    trials = records(outcome.folder)
    assert world.on_disk == list(range(len(trials)))
    assert outcome.folder.read_run().trials_planned == len(trials)
    assert trials[0].rate_rps == pytest.approx(FIRST / SERVICE_S)
    assert len(set(rates(outcome.folder))) < len(trials)  # a rate that was open was measured longer
    assert (world.calibrations(), world.watcher.count) == (1, 0)
    world.printed(outcome.folder)
    whole = summary(outcome.folder)
    (cell,) = whole["cells"]
    assert (whole["schema"], whole["kind"], whole["objective"]) == (2, "slo", "p95<60ms")
    assert cell["holds_rps"] < TRUE_RPS < cell["fails_rps"] < 2 * cell["holds_rps"]
    assert cell["theory_rps"] == pytest.approx(TRUE_RPS, rel=2e-3)
    assert cell["confidence_of_each_rate"] == 0.95
    assert {each["rate_rps"]: each["trials"] for each in cell["rates"]} == {
        rate: rates(outcome.folder).count(rate) for rate in rates(outcome.folder)
    }
    for each in cell["rates"]:
        low, high = each["interval_s"]
        assert each["verdict"] == ("fails" if low and low >= 0.06 else "holds" if high and high < 0.06 else "undecided")


def test_its_report_says_between_which_rates_and_how_sure(world: World) -> None:
    folder = world.measure(world.plan("slo", **SMALL)).folder
    printed = world.printed(folder)
    (cell,) = summary(folder)["cells"]
    assert "Up to which rate of arrivals does p95<60ms hold?" in printed
    assert f"between {cell['holds_rps']:.1f}/s and {cell['fails_rps']:.1f}/s" in printed
    assert f"A meets p95<60ms at {cell['holds_rps']:.1f}/s (" in printed
    assert f"At {cell['fails_rps']:.1f}/s it does not (" in printed
    assert "Theory says 24.6/s, which is in the bracket." in printed
    assert "the 95% interval of the value lies on one side of the limit" in printed
    assert "/report.html" in printed
    assert "## Steps" in (folder.path / "report.md").read_text()
    page = (folder.path / "report.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert 'src="http' not in page


def test_progress_has_the_rate_the_percentile_the_verdict_and_the_time_that_is_left(world: World) -> None:
    folder = world.measure(world.plan("slo", **SMALL)).folder
    first, second = world.watcher.begun[:2]
    assert first == "A, the first rate"
    assert second.startswith("A, ")
    assert second.endswith(" left")
    trial, shown = records(folder)[0], world.watcher.lines[0].text
    assert shown.startswith("A   25.0/s  util. 50%")
    assert f"p95 {(trial.value_s or 0) * 1000:.1f} ms (" in shown
    texts = [line.text.rpartition("p95<60ms ")[2] for line in world.watcher.lines]
    assert {"holds", "fails"} <= set(texts) <= {"holds", "fails", "undecided", "not decided yet"}


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
    assert "A · Blocking: not known (the search did not end)." in printed
    assert "Theory says 24.6/s." in printed  # no bracket is known
    assert "Trust: limited. The server is in doubt: the search did not end, so the objective may break far" in printed
    assert [cell["valid"] for cell in summary(outcome.folder)["cells"]] == [False]
    world.loop.events = {}
    calibrated = world.calibrations()
    again = world.measure(world.resume(outcome.folder))
    assert (again.exit_status, again.folder.path) == (0, outcome.folder.path)
    assert [(one.rate_rps, one.low_s, one.high_s) for one in records(again.folder)] == [
        (one.rate_rps, one.low_s, one.high_s) for one in records(whole.folder)
    ]
    assert world.calibrations() == calibrated
    ended = world.printed(again.folder)
    assert "was interrupted" not in ended
    assert "did not end" not in ended
    assert "Trust: good." in ended


def test_what_a_search_that_did_not_end_found_so_far_is_no_result(world: World) -> None:
    world.loop.events = {6: "interrupt"}
    folder = world.measure(world.plan("slo", **SMALL)).folder
    printed = world.printed(folder)
    (cell,) = summary(folder)["cells"]
    known = f"between {cell['holds_rps']:.1f}/s and {cell['fails_rps']:.1f}/s"
    assert f"A · Blocking: {known} so far (the search did not end)." in printed
    assert "search_not_ended" in {each["id"] for each in cell["findings"]}
    assert "Trust: limited." in printed
    folder.write_run(folder.read_run().model_copy(update={"status": "running"}))
    assert "The search for A did not end: the run has not ended." in world.printed(folder)


def test_after_one_trial_there_is_a_report(world: World) -> None:
    world.loop.events = {1: "interrupt"}
    outcome = world.measure(world.plan("slo", **SMALL))
    printed = world.printed(outcome.folder)
    assert "No rate is known at which A meets p95<60ms." in printed
    assert "The search for A did not end" in printed


def test_a_search_begins_with_a_rate_whose_requests_a_run_can_hold(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MOST_REQUESTS", 11 * 10)
    found = records(world.measure(world.plan("slo", **SMALL)).folder)
    assert found[0].rate_rps == pytest.approx(10.0)
    assert max(each.rate_rps for each in found) <= 10.0


def test_a_server_without_a_queue_is_tried_up_to_what_the_load_generator_sends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iolab.loadgen.workers.MOST_RPS", 1000.0)
    changes = SMALL | {"models": ["C"], "search": {"least_s": 1.0, "most_s": 2.0, "lead_s": 0.1}}
    folder = world.measure(world.plan("slo", **changes)).folder
    assert max(rates(folder)) == pytest.approx(min(3000.0, NO_QUEUE_RPS * 2))
    assert rates(folder)[0] == NO_QUEUE_RPS
    printed = world.printed(folder)
    (cell,) = summary(folder)["cells"]
    assert (cell["holds_rps"], cell["fails_rps"], cell["theory_rps"]) == (3000.0, None, None)
    assert "at least 3000/s" in printed
    assert "3000/s is the most that the load generator sends in time." in printed
    assert MOST_RPS > 1000


def test_where_a_run_holds_no_more_requests_that_is_said_and_not_that_the_load_generator_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MOST_REQUESTS", 1100)
    changes = SMALL | {"models": ["C"], "search": {"least_s": 1.0, "most_s": 2.0, "lead_s": 0.1}}
    folder = world.measure(world.plan("slo", **changes)).folder
    assert max(rates(folder)) == pytest.approx(1000.0)
    printed = world.printed(folder)
    assert "1000/s is the most of which a run holds all requests." in printed
    assert "sends in time" not in printed


def test_an_objective_that_the_calibration_shows_to_be_impossible_is_refused_at_once(world: World) -> None:
    with pytest.raises(UsageError, match=r"SLO=p95<19.5ms: without any queue it is about 20 ms for A"):
        world.measure(world.plan("slo", **SMALL | {"objective": "p95<19.5ms", "server": {"wait_ms": 19.0}}))
    assert world.calibrations() == 1
    assert world.on_disk == []
    assert [*world.results.iterdir()] == []  # nothing was measured: no run, and no link to one


def test_requests_without_an_answer_break_the_objective(world: World) -> None:
    world.loop.events = dict.fromkeys(range(40), "unanswered")
    outcome = world.measure(world.plan("slo", **SMALL))
    assert outcome.exit_status == 0
    assert {(one.valid, one.unanswered, one.errors) for one in records(outcome.folder)} == {(True, 3, 3)}
    printed = world.printed(outcome.folder)
    assert [each["verdict"] for each in summary(outcome.folder)["cells"][0]["rates"]][:3] == ["fails"] * 3
    assert "No rate is known at which A meets p95<60ms." in printed
    assert "it does not: 3 requests got no answer 200." in printed


def test_a_trial_that_is_not_valid_ends_its_model_s_search_alone(world: World) -> None:
    world.loop.events = {1: "server dies"}
    changes = SMALL | {"models": ["A", "B"], "search": {"least_s": 10.0, "most_s": 10.0, "lead_s": 1.0}}
    outcome = world.measure(world.plan("slo", **changes))
    assert (outcome.exit_status, outcome.folder.read_run().status) == (1, "failed")
    found = records(outcome.folder)
    assert [(one.model, one.valid) for one in found[:3]] == [("A", True), ("A", False), ("B", True)]
    assert found[2].index == MOST_TRIALS
    printed = world.printed(outcome.folder)
    assert "The search for A did not end: the server ended with status 139." in printed
    assert "B meets p95<60ms at" in printed
    assert "this trial is not valid: the server ended with status 139" in printed
    assert world.watcher.lines[1].style == "red"
    world.loop.events = {}
    again = world.measure(world.resume(outcome.folder))
    assert (again.exit_status, again.folder.read_run().status) == (0, "complete")
    assert summary_of(world, again.folder) == summary_of(world, world.measure(world.plan("slo", **changes)).folder)


def summary_of(world: World, folder: RunFolder) -> list[tuple[float | None, float | None]]:
    world.printed(folder)
    return [(cell["holds_rps"], cell["fails_rps"]) for cell in summary(folder)["cells"]]


def test_what_disturbed_a_trial_is_said_and_another_one_takes_its_place(world: World) -> None:
    whole = world.measure(world.plan("slo", **SMALL))
    world.loop.plans.clear()
    world.loop.events = {1: "late"}
    outcome = world.measure(world.plan("slo", **SMALL))
    disturbed, repeated = records(outcome.folder)[1:3]
    assert (disturbed.late_p99_s or 0) > 0.002
    assert repeated.rate_rps == disturbed.rate_rps
    assert (bool(disturbed.disturbance), repeated.disturbance) == (True, "")
    line = world.watcher.lines[-len(records(outcome.folder)) :][1]
    assert "   does not count: suspect: one request in a hundred was sent 5.0 ms late" in line.text
    assert "holds" not in line.text
    assert line.style == "yellow"
    assert "again, because the last trial was disturbed" in world.watcher.begun[-len(records(outcome.folder)) :][2]
    assert len(records(outcome.folder)) >= len(records(whole.folder))
    printed = world.printed(outcome.folder)
    assert "1 trial did not count: suspect: one request in a hundred was sent 5.0 ms late" in printed
    assert "Trust: good." in printed


def test_a_busy_machine_decides_nothing_and_says_so(world: World) -> None:
    world.loop.events = dict.fromkeys(range(100), "busy")
    folder = world.measure(world.plan("slo", **SMALL)).folder
    printed = world.printed(folder)
    (cell,) = summary(folder)["cells"]
    assert (cell["holds_rps"], cell["fails_rps"]) == (None, None)
    assert {each["verdict"] for each in cell["rates"]} == {"disturbed"}
    assert "A · Blocking: not known." in printed
    assert "every trial was disturbed, as the findings say: run it again." in printed
    assert "could not be decided: other programs or containers used" in printed
    assert "Trust: limited." in printed


def test_what_is_no_objective_is_refused_before_anything_is_opened(world: World) -> None:
    with pytest.raises(UsageError, match=r"SLO=p99<fast: must be such as p99<100ms"):
        world.plan("slo", objective="p99<fast")
    with pytest.raises(UsageError, match=r"SLO=p99<15ms: without any queue it is 20 ms, so no rate can meet it"):
        world.plan("slo", objective="p99<15ms")
    assert not world.results.exists()
