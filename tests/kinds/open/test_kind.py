"""The life of an open loop: calibrations, plans, interruptions, what is refused; on a made-up world."""

import json
import signal
from pathlib import Path

import pytest

from iolab.cli import compare as cli_compare
from iolab.cli import runs as cli_runs
from iolab.errors import UsageError
from iolab.kinds.arrival_records import OpenRecord
from iolab.kinds.open import words
from iolab.kinds.open.analysis import analyse
from iolab.kinds.open.settings import OpenExperiment
from iolab.lab import Lab
from iolab.loadgen import workers
from iolab.loadgen.workers import Crew
from iolab.results.samples import OpenSample
from tests import planned
from tests.planned import SERVICE_S, World

pytestmark = pytest.mark.usefixtures("undrawn")

SMALL = {
    "models": ["A", "C"],
    "arrivals": {"every_utilisation": [0.4, 0.8], "duration_s": 4.0, "others_duration_s": 2.0},
    "vary": [{"name": "constant", "wait_distribution": "constant"}],
}


@pytest.fixture
def world(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(lab, tmp_path / "results", OpenExperiment, monkeypatch)


def test_plans_follow_the_calibrations_and_each_is_on_disk_as_it_ends(world: World) -> None:
    outcome = world.measure(world.plan("queue", **SMALL))
    assert (outcome.exit_status, world.on_disk) == (0, [0, 1, 2, 3])
    run = outcome.folder.read_run()
    assert (run.kind, run.generator, run.status, run.trials_planned) == ("open", "iolab", "complete", 4)
    records = outcome.folder.read_trials(OpenRecord)
    rates = {letter: sorted(one.rate_rps for one in records if one.model == letter) for letter in "AC"}
    assert rates["A"] == rates["C"] == pytest.approx([0.4 / SERVICE_S, 0.8 / SERVICE_S], rel=0.01)
    assert {one.utilisation for one in records if one.model == "A"} == {0.4, 0.8}
    assert {one.utilisation for one in records if one.model == "C"} == {None}
    assert [len(outcome.folder.read_rows(one.rows, "requests", OpenSample)) for one in records] == [
        one.sent for one in records
    ]
    assert [sorted(one.calibrated) for one in records] == [["A", "C"], [], [], []]
    assert (world.calibrations(), world.watcher.count) == (2, 4)
    assert [line.style for line in world.watcher.lines] == [None] * 4
    assert world.watcher.said == ["Calibrating A", "Calibrating C"]


def test_plans_of_a_model_share_a_server_and_no_other_runs_meanwhile(world: World) -> None:
    world.measure(world.plan("queue", **SMALL))
    served = [entry for entry in world.runtime.log if entry.startswith(("start", "stop", "plan"))]
    calibrating, plans = served[:4], served[4:]
    assert calibrating == ["start A 1", "stop A", "start C 1", "stop C"]
    assert sorted((*plans[:4], *plans[4:])) == ["plan"] * 4 + ["start A 1", "start C 1", "stop A", "stop C"]
    assert [entry.split()[0] for entry in plans] == ["start", "plan", "plan", "stop"] * 2
    assert world.runtime.log[-1] == "close"


def test_an_interruption_leaves_a_run_that_can_be_read_and_goes_on_as_it_was_calibrated(world: World) -> None:
    world.loop.events = {1: "interrupt"}
    outcome = world.measure(world.plan("queue", **SMALL))
    assert (outcome.exit_status, outcome.folder.read_run().status) == (128 + signal.SIGINT, "partial")
    before = world.lines(outcome.folder)
    assert len(before) == 1
    printed = world.printed(outcome.folder)
    assert "This run was interrupted: it has 1 of 4 trials." in printed
    assert f"{outcome.folder.path.name}/report.html" in printed
    for name in ("report.html", "report.md"):
        assert "This run was interrupted: it has 1 of 4 trials." in (outcome.folder.path / name).read_text()
    assert json.loads((outcome.folder.path / "summary.json").read_text())["status"] == "partial"
    world.loop.events = {}
    again = world.measure(world.resume(outcome.folder))
    assert (again.exit_status, again.folder.path) == (0, outcome.folder.path)
    assert list(world.lines(again.folder)[:1]) == before
    records = again.folder.read_trials(OpenRecord)
    assert [one.index for one in records] == [0, 1, 2, 3]
    assert sorted(one.rate_rps for one in records if one.model == "A") == sorted(
        one.rate_rps for one in records if one.model == "C"
    )
    assert world.calibrations() == 2  # those of the beginning
    assert "was interrupted" not in world.printed(again.folder)
    whole = json.loads((again.folder.path / "summary.json").read_text())
    assert (whole["schema"], whole["kind"], whole["status"], len(whole["cells"])) == (2, "open", "complete", 4)
    with pytest.raises(UsageError, match="is complete: there is nothing to resume"):
        world.resume(again.folder)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("server dies", "the server ended with status 139"),
        ("unanswered", "requests got no answer 200 (3 timeout)"),
        ("lost", "load worker 1 was lost"),
    ],
)
def test_a_plan_that_fails_is_shown_and_the_others_go_on_with_a_new_server(
    world: World, event: str, reason: str
) -> None:
    world.loop.events = {0: event}
    outcome = world.measure(world.plan("queue", **SMALL))
    assert (outcome.exit_status, outcome.folder.read_run().status) == (1, "failed")
    first, *others = outcome.folder.read_trials(OpenRecord)
    assert not first.valid
    assert reason in str(first.reason)
    assert outcome.folder.read_rows(first.rows, "requests", OpenSample)
    assert all(one.valid for one in others)
    assert [line.style for line in world.watcher.lines] == ["red", None, None, None]
    assert world.runtime.log.count(f"start {first.model} 1") == 3  # to calibrate, for the first plan, and anew
    assert "error" in world.printed(outcome.folder)


@pytest.mark.parametrize("number", [0, 2])
def test_a_run_that_goes_on_sends_the_plan_that_failed_again(world: World, number: int) -> None:
    world.loop.events = {number: "server dies"}
    outcome = world.measure(world.plan("queue", **SMALL))
    world.loop.events = {}
    again = world.measure(world.resume(outcome.folder))
    assert (again.exit_status, again.folder.read_run().status) == (0, "complete")
    assert len(world.lines(again.folder)) == 5
    records = again.folder.read_trials(OpenRecord)
    assert [(one.index, one.valid) for one in records] == [(index, True) for index in range(4)]
    assert "error," not in world.printed(again.folder)


def test_a_server_that_does_not_come_up_again_spoils_its_own_plans_alone(world: World) -> None:
    def refuse() -> None:
        world.runtime.refuses = frozenset("A")

    world.loop.before = refuse
    world.loop.events = {0: "unanswered"}
    outcome = world.measure(world.plan("queue", **SMALL))
    records = outcome.folder.read_trials(OpenRecord)
    assert {one.valid for one in records[1:] if one.model == "C"} <= {True}
    assert {str(one.reason) for one in records[1:] if one.model == "A"} == {"A does not start"}
    assert world.printed(outcome.folder)


def test_a_rate_that_cannot_be_sent_is_refused_before_the_first_plan(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MOST_RPS", 10.0)  # on each of three cores
    with pytest.raises(UsageError, match=r"A at 40 arrivals a second: the load generator sends 30 in time"):
        world.measure(world.plan("queue", **SMALL))
    assert not world.loop.plans
    assert world.runtime.log[-1] == "close"


def test_a_rate_that_is_too_high_whatever_a_calibration_says_is_refused_before_there_is_a_folder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MOST_RPS", 20.0 / 3)  # on each of three cores
    with pytest.raises(UsageError, match=r"A at 27 arrivals a second or more: the load generator sends 20 in time"):
        world.measure(world.plan("queue", **SMALL))
    assert (world.runtime.log, world.results.exists()) == ([], False)


def test_a_model_that_cannot_be_calibrated_ends_the_run_with_the_reason(world: World) -> None:
    world.loop.tells = False
    outcome = world.measure(world.plan("queue", **SMALL))
    assert (outcome.exit_status, outcome.folder.has_trials()) == (1, False)
    assert outcome.reason == "the server sends no Server-Timing header: its service times are not known"


def test_what_cannot_be_planned_is_refused_before_anything_is_opened(world: World) -> None:
    with pytest.raises(UsageError, match="no model of this run has a utilisation: add one of A, B"):
        world.plan("queue", models=["C", "D"])
    with pytest.raises(UsageError, match=r"trace nowhere\.txt: must be a file with a time"):
        world.plan("queue", arrivals={"process": "trace", "trace": "nowhere.txt"})
    assert not world.results.exists()


def test_load_workers_are_settings_that_a_resumed_run_has_again(world: World) -> None:
    world.loop.events = {1: "interrupt"}
    plan = world.plan("queue", **SMALL, load={"workers": 2, "join": 1, "bind": "192.0.2.1"})
    assert plan.experiment.host == "192.0.2.1"
    outcome = world.measure(plan)
    wanted = Crew(workers=2, join=1, bind="192.0.2.1")
    assert outcome.folder.read_run().experiment["load"] == wanted.model_dump()
    again = world.resume(outcome.folder)
    assert again.experiment.host == "192.0.2.1"
    world.loop.events = {}
    world.measure(again)
    assert world.crews == [wanted, wanted]


def test_one_process_alone_is_not_told_of(world: World) -> None:
    outcome = world.measure(world.plan("queue", **SMALL))
    assert "load" not in outcome.folder.read_run().experiment
    assert world.crews == [Crew()]
    with pytest.raises(UsageError, match=r"JOIN=2: other machines need this machine's address: give it"):
        _ = world.plan("queue", **SMALL, load={"join": 2}).experiment.host


def test_two_runs_are_compared_by_what_was_planned_not_by_the_rate_that_a_calibration_gave(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    first = world.measure(world.plan("queue", **SMALL)).folder
    monkeypatch.setattr(planned, "SERVICE_S", 1.03 * SERVICE_S)  # another day
    second = world.measure(world.plan("queue", **SMALL)).folder
    rates = [sorted(one.rate_rps for one in folder.read_trials(OpenRecord)) for folder in (first, second)]
    assert not set(rates[0]) & set(rates[1])
    arguments = [str(first.path), str(second.path), "--results", str(world.results)]
    assert cli_compare.compare.main(arguments, standalone_mode=False) == 0
    said = " ".join(capsys.readouterr().out.split())
    for model in ("model A, service blocking", "model C, service asyncio"):
        for share in (0.4, 0.8):
            assert f"{model}, variant constant, process poisson, planned utilisation {share}, utilisation of A" in said
    for name in ("A 0.4", "C 0.4"):  # the first word is the model, whichever model the rate was worked out from
        assert cli_runs.explain.main([str(second.path), name], standalone_mode=False) == 0


def test_planned_arrivals_have_one_number_of_connections(world: World) -> None:
    several = {"vary": [{"name": "bare"}, {"name": "pool", "downstream": 8}]}
    with pytest.raises(UsageError, match=r"\[\[vary\]\] downstream: a queue is calibrated once"):
        world.plan("queue", **{**SMALL, **several})


def test_a_queue_for_connections_is_one_of_theory_and_is_named(world: World) -> None:
    outcome = world.measure(world.plan("queue", **SMALL, server={"downstream": 2}))
    assert outcome.exit_status == 0
    (info,) = (each for each in outcome.folder.read_run().models if each.letter == "C")
    assert (info.connections, info.places) == (2, 2)
    records = [one for one in outcome.folder.read_trials(OpenRecord) if one.model == "C"]
    assert {one.utilisation for one in records} == {0.4, 0.8}
    analysed = analyse(outcome.folder)
    said = " ".join([*words.calibrations(analysed), *words.downstream(analysed)])
    assert "C: theory has 2 servers, because 2 connections to the downstream service are the limit" in said
    assert "a request occupies a connection to the downstream service for" in said
    assert "A: theory has" not in said
