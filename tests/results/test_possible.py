"""Values that cannot be: what bounds them, and what becomes of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from iolab.kinds.faults.records import FaultRecord, HalfOpen
from iolab.results.possible import LONGEST_S, MOST_THREADS, possible, within
from iolab.results.records import ClientUsage, ServerUsage, TrialRecord
from iolab.results.run_info import RunInfo
from tests import crowds, faults, quiet

SPAN_S, MEMORY = 10.0, 2**33


def run(**environment: Any) -> RunInfo:
    return RunInfo(
        kind="made", experiment={"name": "made"}, models=(), runtime="local", runtime_reason="a test", generator="hey",
        cpu_plans=(), environment=environment, trials_planned=1, started=datetime.now(UTC),
    )  # fmt: skip


def checked(**changes: Any) -> TrialRecord:
    facts: dict[str, Any] = {
        "index": 0, "started": datetime.now(UTC), "duration_s": SPAN_S, "valid": True, "reason": None,
        "machine": quiet.machine(SPAN_S), **changes,
    }  # fmt: skip
    return possible(TrialRecord.model_validate(facts), run(memory_bytes=MEMORY, cores=2))


@pytest.mark.parametrize(
    ("name", "highest", "beyond"),
    [
        ("cpu_s", 2 * (SPAN_S * 1.1 + 0.1), 2 * (SPAN_S * 1.1 + 0.1) + 0.1),
        ("throttled_s", 0.0, -0.1),
        ("threads_peak", MOST_THREADS, MOST_THREADS + 1),
        ("threads_peak", 1, 0),
        ("rss_peak_bytes", MEMORY, MEMORY + 1),
        ("rss_peak_bytes", 1, 0),
        ("listen_overflows", 0, -1),
    ],
)
def test_a_server_uses_no_more_than_there_is_and_not_less_than_nothing(
    name: str, highest: float, beyond: float
) -> None:
    assert getattr(checked(server=ServerUsage.model_validate({name: highest})).server, name) == highest
    found = checked(server=ServerUsage.model_validate({name: beyond, "syn_cookies": 3}))
    assert getattr(found.server, name) is None
    assert (found.server.syn_cookies, found.valid) == (3, True)


def test_what_is_possible_stays_as_it_is() -> None:
    usage = ServerUsage(cpu_s=9.0, rss_peak_bytes=10**8, threads_peak=9)
    record = checked(server=usage, client=ClientUsage(cpu_s=3.0, busiest_share=0.9))
    assert (record.server, record.client.busiest_share) == (usage, 0.9)
    assert possible(record, run()) is record  # without a known memory, too


def test_no_time_is_longer_than_years() -> None:
    client = {"loop_late_p99_ms": 1000 * LONGEST_S, "cpu_s": 1e18}
    assert checked(client=ClientUsage.model_validate(client)).client.loop_late_p99_ms == 1000 * LONGEST_S
    later = {"loop_late_p99_ms": 1001 * LONGEST_S}
    assert checked(client=ClientUsage.model_validate(later)).client.loop_late_p99_ms is None


def test_a_clock_that_was_set_back_is_possible_and_cores_that_worked_backwards_are_not_known() -> None:
    assert checked(machine=quiet.machine(SPAN_S, clock_step_s=-3.0)).machine.clock_step_s == -3.0
    for busy_s in ((-0.1, 0.0), (0.0, SPAN_S * 1.2 + 1)):
        assert checked(machine=quiet.machine(SPAN_S, busy_s)).machine.by_core is None
    assert checked(machine=quiet.machine(SPAN_S, steal_s=(0.0, -1.0))).machine.by_core is None


def test_more_users_than_there_are_make_a_trial_invalid(tmp_path: Any) -> None:
    record = crowds.add(crowds.folder(tmp_path), crowds.C, 100)
    assert possible(record, run()) is record
    for changes in ({"held": 101}, {"answered": record.clicks + 1}, {"users": 101}):
        found = possible(record.model_copy(update=changes), run())
        assert not found.valid
        assert str(found.reason).startswith("impossible values: ")
    other = possible(record.model_copy(update={"held": 101}), run())
    assert other.reason == "impossible values: held are 101 of 100 users"


def test_of_a_fault_what_can_be_missing_is_not_known_and_the_rest_makes_it_invalid() -> None:
    figures = faults.FIGURES["half_open"]
    assert isinstance(figures, HalfOpen)
    more = faults.record("half_open", figures=figures.model_copy(update={"kept": figures.sent + 1}), back=1001)
    found: FaultRecord = possible(more, run())
    assert isinstance(found.figures, HalfOpen)
    assert (found.figures.kept, found.back, found.valid) == (None, None, True)
    all_of_them = faults.record("half_open", figures=figures.model_copy(update={"served": figures.newcomers + 1}))
    assert not possible(all_of_them, run()).valid


@pytest.mark.parametrize(
    ("value", "least", "most", "found"),
    [(None, 0, None, None), (0.0, 1, None, None), (1.0, 1, None, 1.0), (2.0, 0, 2, 2.0), (2.1, 0, 2, None)],
)
def test_within(value: float | None, least: float, most: float | None, found: float | None) -> None:
    assert within(value, least, most) == found
