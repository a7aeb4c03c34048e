"""The next trial of a search, given those on disk: repeated, extended, or at another rate."""

import json
import math
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import pytest

from iolab import experiment_file
from iolab.kinds.arrival_records import Calibration
from iolab.kinds.slo import expected
from iolab.kinds.slo.plan import MOST_TRIALS, SloTrial, most_rps, next_trial, spans_s
from iolab.kinds.slo.records import SloRecord
from iolab.kinds.slo.run import times
from iolab.kinds.slo.settings import Search, SloExperiment
from iolab.kinds.slo.steps import AGAIN, LOOKS, tried
from iolab.lab import Lab
from iolab.results.records import ClientUsage, ServerUsage
from iolab.results.run_info import CpuPlanInfo, ModelInfo, RunInfo
from tests import quiet
from tests.conftest import ROOT

SEARCH = Search(least_s=10.0, most_s=120.0, lead_s=30.0)
MODEL = ModelInfo(letter="A", title="Blocking", service="blocking", workers=1)
QUIET = quiet.machine(10.0, (0.2, 0.5))
BUSY = quiet.machine(10.0, (8.0, 7.0))
STOLEN = quiet.machine(10.0, steal_s=(4.5, 4.5))
FAST = ClientUsage(cpu_s=0.5, busiest_share=0.05, loop_late_p99_ms=0.1, waited=0, most_open=3)


@pytest.fixture
def wanted() -> SloExperiment:
    return experiment_file.parsed(ROOT / "experiments" / "slo.toml", {}, SloExperiment)


def run(wanted: SloExperiment) -> RunInfo:
    return RunInfo(
        kind="slo", experiment=wanted.model_dump(mode="json", by_alias=True), models=(MODEL,), runtime="local",
        runtime_reason="a test", generator="iolab", environment={}, trials_planned=0, started=datetime.now(UTC),
        cpu_plans=(CpuPlanInfo(cpus=1.0, server=(0,), loadgen=(1,), shared=False, pinned=True),),
    )  # fmt: skip


def record(index: int, rate_rps: float, outcome: str = "", **changes: Any) -> SloRecord:
    """Return a trial that holds, fails, is open, or is undecided; disturbed if `changes` say so."""
    low_s, high_s = {"holds": (0.05, 0.08), "fails": (0.15, 0.3)}.get(outcome, (0.08, None))
    facts: dict[str, Any] = {
        "index": index, "started": datetime.now(UTC), "duration_s": 10.0, "valid": True, "reason": None, "model": "A",
        "service": "blocking", "cpus": 1.0, "requested": 100, "sent": 100, "ok": 100, "errors": 0, "process": "poisson",
        "rate_rps": rate_rps, "plan_s": 11.0, "seed": 1, "utilisation": rate_rps * 0.02, "server": ServerUsage(cpu_s=0.1),
        "calibration": Calibration(service_s=0.02, overhead_s=0.0, transit_s=0.0), "client": FAST, "machine": QUIET,
        "objective": "p99<100ms", "lead_s": 1.0, "value_s": 0.09, "low_s": low_s, "high_s": high_s, "counted": 100,
        "independent": 30, "open": outcome == "open", "unanswered": 0, "late_p99_s": 0.0001, "highest_rps": 20_000.0,
    }  # fmt: skip
    return SloRecord.model_validate(facts | changes)


def following(wanted: SloExperiment, *records: SloRecord) -> SloTrial | None:
    return next_trial(wanted, MODEL, run(wanted), records)


def test_a_search_begins_where_the_calibration_says(wanted: SloExperiment) -> None:
    assert following(wanted) == SloTrial(0, "A", wanted.seed)
    second = next_trial(wanted, MODEL, run(wanted), [record(0, 25.0, "fails")], first=MOST_TRIALS)
    assert second
    assert second.index == MOST_TRIALS + 1


@pytest.mark.parametrize(("outcome", "rate"), [("fails", 25 / 1.5), ("holds", 37.5), ("undecided", 25 / 1.5)])
def test_a_decided_rate_is_followed_by_another(wanted: SloExperiment, outcome: str, rate: float) -> None:
    found = following(wanted, record(0, 25.0, outcome))
    assert found
    assert found.rate_rps == pytest.approx(rate)
    assert (found.index, found.earlier, found.again) == (1, (), False)
    assert found.seed != wanted.seed


def test_a_rate_that_is_open_is_measured_longer(wanted: SloExperiment) -> None:
    first, second = record(0, 25.0, "open"), record(1, 25.0, "open")
    found = following(wanted, first)
    assert found
    assert (found.rate_rps, found.earlier, found.again) == (25.0, (first,), False)
    assert "25.0/s, p99<100ms not decided yet" in found.title
    third = following(wanted, first, second)
    assert third
    assert third.earlier == (first, second)


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": BUSY},
        {"machine": STOLEN},
        {"machine": quiet.machine(10.0, slowed=3)},
        {"machine": quiet.machine(10.0, group_quota=1.0, group_throttled_s=3.0)},
        {"late_p99_s": 0.005},
        {"client": FAST.model_copy(update={"busiest_share": 0.9})},
        {"client": FAST.model_copy(update={"loop_late_p99_ms": 5.0}), "high_s": None},
        {"client": FAST.model_copy(update={"waited": 4, "most_open": 10_000})},
    ],
    ids=[
        "other programs",
        "stolen time",
        "heat",
        "own quota",
        "late sends",
        "busy client",
        "late reads",
        "no connections",
    ],
)
@pytest.mark.parametrize("outcome", ["holds", "undecided"])
def test_a_disturbed_trial_decides_nothing_and_is_measured_again_up_to_a_bound(
    wanted: SloExperiment, changes: dict[str, Any], outcome: str
) -> None:
    disturbed = [record(index, 25.0, outcome, **changes) for index in range(AGAIN + 1)]
    for number in range(1, AGAIN + 1):
        found = following(wanted, *disturbed[:number])
        assert found
        assert (found.rate_rps, found.earlier, found.again) == (25.0, (), True)
        assert "again, because the last trial was disturbed" in found.title
    (last,) = tried(run(wanted), disturbed, wanted.wanted)
    assert last.verdict == ("disturbed" if "machine" in changes else "client")
    assert last.last is None
    after = following(wanted, *disturbed)
    assert after is None or after.rate_rps != 25.0


def test_answers_that_were_read_late_do_not_forbid_a_rate_to_hold(wanted: SloExperiment) -> None:
    """They only make response times longer: what holds with them holds without them, and what fails may not."""
    late: dict[str, Any] = {"client": FAST.model_copy(update={"loop_late_p99_ms": 5.0})}
    (held,) = tried(run(wanted), [record(0, 25.0, "holds", **late)], wanted.wanted)
    assert (held.verdict, held.disturbed) == ("holds", ())
    (failed,) = tried(run(wanted), [record(0, 25.0, "fails", **late)], wanted.wanted)
    assert (failed.verdict, len(failed.disturbed)) == (None, 1)
    (both,) = tried(run(wanted), [record(0, 25.0, "holds", **late, late_p99_s=0.005)], wanted.wanted)
    assert (both.verdict, len(both.disturbed)) == (None, 1)


@pytest.mark.parametrize("throttled_s", [0.0, None])
def test_a_quota_that_is_not_known_to_have_throttled_forbids_nothing(
    wanted: SloExperiment, throttled_s: float | None
) -> None:
    """Else no search would end on a machine with a quota whose kernel counts no throttled time."""
    machine = quiet.machine(10.0, group_quota=1.0, group_throttled_s=throttled_s)
    (found,) = tried(run(wanted), [record(0, 25.0, "holds", machine=machine)], wanted.wanted)
    assert found.verdict == "holds"


@pytest.mark.parametrize(("workers", "rate"), [(math.inf, 1e6 / 12), (1, 1e6 / 40)])
def test_the_highest_rate_is_that_of_which_a_run_holds_the_shortest_trial(workers: float, rate: float) -> None:
    assert most_rps(SEARCH, workers) == pytest.approx(rate)
    highest = most_rps(SEARCH, workers)
    lead_s, whole_s = times(SEARCH, min(highest, 0.9 * workers / 0.02), 0.02, workers, 0)
    assert whole_s * highest <= 1e6 * (1 + 1e-9)
    assert whole_s - lead_s == pytest.approx(SEARCH.least_s)


def test_the_requests_of_a_disturbed_trial_do_not_count_with_the_others(wanted: SloExperiment) -> None:
    good, bad = record(0, 25.0, "open"), record(1, 25.0, "holds", machine=BUSY)
    found = following(wanted, good, bad)
    assert found
    assert (found.rate_rps, found.earlier, found.again) == (25.0, (good,), True)
    (one,) = tried(run(wanted), [good, bad], wanted.wanted)
    assert (one.good, one.disturbed, one.verdict) == ((good,), (bad,), None)


def test_a_server_so_slow_that_no_connection_is_left_fails(wanted: SloExperiment) -> None:
    """Its requests are late because of it, and break the objective even from when they were sent."""
    late: dict[str, Any] = {
        "late_p99_s": 0.5, "client": FAST.model_copy(update={"waited": 400, "most_open": 10_000}),
    }  # fmt: skip
    (slow,) = tried(run(wanted), [record(0, 25.0, "fails", **late)], wanted.wanted)
    assert slow.verdict == "fails"
    reads = late | {"client": late["client"].model_copy(update={"loop_late_p99_ms": 5.0})}
    (client,) = tried(run(wanted), [record(0, 25.0, "fails", **reads)], wanted.wanted)
    assert client.verdict is None


def test_a_request_without_an_answer_breaks_an_objective_but_not_on_a_disturbed_machine(wanted: SloExperiment) -> None:
    (broken,) = tried(run(wanted), [record(0, 25.0, "holds", unanswered=2)], wanted.wanted)
    assert broken.verdict == "fails"
    (unknown,) = tried(run(wanted), [record(0, 25.0, "holds", unanswered=2, machine=BUSY)], wanted.wanted)
    assert unknown.verdict is None


def test_a_trial_that_failed_ends_the_search_of_its_model(wanted: SloExperiment) -> None:
    dead = record(1, 37.5, "holds", valid=False, reason="the server ended with status 139")
    assert following(wanted, record(0, 25.0, "holds"), dead) is None


def test_a_search_is_bounded_whatever_comes(wanted: SloExperiment) -> None:
    records: list[SloRecord] = []
    while trial := following(wanted, *records):
        disturbed = len(records) % 5 < AGAIN
        changes: dict[str, Any] = {"machine": BUSY} if disturbed else {}
        outcome = "open" if len(trial.earlier) + 1 < LOOKS else "undecided"
        records.append(record(trial.index, trial.rate_rps or 25.0, outcome, **changes))
    assert len(records) <= MOST_TRIALS
    assert [each.index for each in records] == list(range(len(records)))
    assert len({each.rate_rps for each in records}) > 3


def test_a_rate_is_measured_three_times_at_most_each_time_longer() -> None:
    ends = list(accumulate(spans_s(SEARCH)))
    assert ends == pytest.approx([10.0, (10 * 120) ** 0.5, 120.0])
    assert len(ends) == LOOKS
    assert spans_s(Search(least_s=5.0, most_s=5.0)) == (5.0,)


def test_a_busy_queue_is_given_time_to_reach_its_steady_state() -> None:
    """M/M/1 at 90%: 20 ms / (1 - sqrt(0.9))^2 = 7.6 s."""
    assert times(SEARCH, 45.0, 0.02, 1, 0) == pytest.approx((7.6, 17.6), abs=0.05)
    assert times(SEARCH, 49.0, 0.02, 1, 0)[0] == SEARCH.lead_s
    assert times(SEARCH, 1500.0, 0.02, float("inf"), 0) == (2.0, 12.0)
    late = times(SEARCH, 10_000.0, 0.02, float("inf"), 2)
    assert late[1] - late[0] == 20.0  # 200,000 requests are enough


def test_a_longer_time_at_each_rate_takes_longer(lab: Lab) -> None:
    def minutes(**search: float) -> float:
        given = experiment_file.parsed(ROOT / "experiments" / "slo.toml", {"search": search}, SloExperiment)
        return expected.expected_s(given, lab.select(("A", "B"))) / 60

    assert 3 < minutes() < 30
    assert minutes(most_s=30.0) < minutes() < minutes(most_s=1200.0)


def test_what_is_left_becomes_less(lab: Lab, wanted: SloExperiment) -> None:
    from iolab.kinds.slo.plan import limits  # noqa: PLC0415

    records = [record(0, 25.0, "holds"), record(1, 37.5, "fails")]
    range_of = limits(records[0], 1)
    left = [
        expected.rest_s(
            wanted, 1, 0.02, range_of, [each.step for each in tried(run(wanted), records[:n], wanted.wanted)]
        )
        for n in range(3)
    ]
    assert left[0] > left[1] > left[2] > 0
    assert json.dumps(left)
