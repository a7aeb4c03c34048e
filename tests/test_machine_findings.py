"""Findings of the machine, on made-up trials: neighbours, stolen time, quotas, threads of one core, heat."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from iolab.findings import machine
from iolab.host import cores
from iolab.report import doubts
from iolab.results.records import ClientUsage, CoreUsage, Finding, MachineUsage, ServerUsage, TrialRecord
from iolab.results.run_info import CpuPlanInfo, RunInfo

SPAN_S = 10.0


def plan(number: int, cpus: float = 1.0, **changes: Any) -> CpuPlanInfo:
    """Return the lab's own plan for a machine with so many cores."""
    own = cores.plan(cpus, range(number))
    facts = {"cpus": cpus, "server": own.server, "loadgen": own.loadgen, "shared": own.shared, "pinned": True}
    return CpuPlanInfo.model_validate({**facts, **changes})


def usage(
    number: int,
    busy_s: Mapping[int, float] | None = None,
    steal_s: Mapping[int, float] | None = None,
    slowed: Mapping[int, int] | None = None,
    **changes: Any,
) -> MachineUsage:
    """Return what a machine did for SPAN_S; the cores that are not named were idle."""
    by_core = tuple(
        CoreUsage(
            core=core,
            busy_s=(busy_s or {}).get(core, 0.0),
            steal_s=(steal_s or {}).get(core, 0.0),
            slowed=None if slowed is None else slowed.get(core, 0),
        )
        for core in range(number)
    )
    return MachineUsage.model_validate({"span_s": SPAN_S, "own_s": 0.1, "by_core": by_core, **changes})


def found(used: MachineUsage, planned: CpuPlanInfo, runtime: str = "local", **changes: Any) -> dict[str, Finding]:
    """Return the findings of one trial on that machine; server and load generator computed for a second each."""
    facts: dict[str, Any] = {
        "index": 0, "started": datetime.now(UTC), "duration_s": SPAN_S, "valid": True, "reason": None,
        "server": ServerUsage(cpu_s=1.0), "client": ClientUsage(cpu_s=1.0), "machine": used,
    }  # fmt: skip
    run = RunInfo.model_validate(
        {
            "kind": "made", "experiment": {"name": "made"}, "models": (), "runtime": runtime, "runtime_reason": "a test",
            "generator": "hey", "cpu_plans": (planned,), "environment": {}, "trials_planned": 1, "started": datetime.now(UTC),
        }
    )  # fmt: skip
    yielded = list(machine.during(run, [TrialRecord.model_validate({**facts, **changes})], planned.cpus))
    assert all(each.remedy for each in yielded)
    assert len({each.id for each in yielded}) == len(yielded)
    return {each.id: each for each in yielded}


OWN = {0: 1.0, 1: 1.1}  # seconds of the server and of the load generator, with the lab's own


def test_a_quiet_machine_has_none() -> None:
    assert found(usage(2, OWN, {}, {}), plan(2)) == {}
    assert found(usage(64, OWN), plan(64)) == {}


@pytest.mark.parametrize("number", [2, 8, 64])
@pytest.mark.parametrize(
    ("core", "whose"),
    [(0, "core 0 (the server's)"), (1, "core 1 ({}the load generator's)")],
)
def test_one_neighbour_on_a_core_that_matters_is_found_on_any_number_of_cores(
    number: int, core: int, whose: str
) -> None:
    told = found(usage(number, {**OWN, core: 9.9}), plan(number))
    one_of = "of " if number > 2 else ""
    assert set(told) == {"busy_machine"}
    assert told["busy_machine"].severity == "warning"
    assert f"used 0.9 of {whose.format(one_of)}" in told["busy_machine"].message


def test_fifteen_neighbours_elsewhere_are_named_and_are_no_warning() -> None:
    told = found(usage(64, OWN | dict.fromkeys(range(40, 55), 10.0)), plan(64))
    assert set(told) == {"busy_elsewhere"}
    assert told["busy_elsewhere"].severity == "note"
    assert "used 15.0 of the 47 cores that the run did not use" in told["busy_elsewhere"].message
    assert doubts.trust([("C", list(told.values()))], "cell").level == "good"


def test_a_neighbour_is_told_from_the_load_generator_s_own_time_where_that_is_possible() -> None:
    """Fifteen cores' worth of load, and no neighbour; then a neighbour on some core that cannot be named."""
    client: dict[str, Any] = {"client": ClientUsage(cpu_s=100.0)}
    spread = dict.fromkeys(range(1, 17), 6.3)
    assert found(usage(64, {0: 1.0, **spread}), plan(64), **client) == {}
    told = found(usage(64, {0: 1.0, **spread, 3: 10.0, 4: 10.0, 5: 10.0}), plan(64), **client)
    assert "of cores 1, 2, 3, 4, 5, 6, 7, 8 and more (of the load generator's)" in told["busy_machine"].message


def test_neighbours_of_server_and_load_generator_are_both_named() -> None:
    message = found(usage(2, {0: 9.0, 1: 6.1}), plan(2))["busy_machine"].message
    assert message.endswith("used 0.8 of core 0 (the server's) and 0.5 of core 1 (the load generator's)")


@pytest.mark.parametrize(("busy_s", "named"), [(3.4, False), (3.6, True)])
def test_a_quarter_of_a_core_is_tolerated(busy_s: float, named: bool) -> None:
    assert ("busy_machine" in found(usage(2, {0: busy_s}), plan(2))) is named


@pytest.mark.parametrize(
    ("changes", "reason", "stolen"),
    [
        (
            {"machine": MachineUsage(span_s=SPAN_S, cores=8, own_s=0.1)},
            "does not tell what each of its cores does",
            False,
        ),
        ({"machine": usage(2, span_s=0.15)}, "a trial of 0.15 s is too short", False),
        ({"server": ServerUsage()}, "the CPU time of the server is not known", True),
        ({"client": ClientUsage()}, "the CPU time of the load generator is not known", True),
    ],
)
def test_what_cannot_be_looked_at_is_not_checked_and_never_fine(
    changes: dict[str, Any], reason: str, stolen: bool
) -> None:
    told = found(usage(2, {0: 10.0}), plan(2), **changes)
    assert set(told) == {"not_checked"}
    assert reason in told["not_checked"].message
    assert ("stolen time" not in told["not_checked"].message) is stolen
    level, text = doubts.trust([("A", []), ("B", list(told.values()))], "cell")
    assert level == "limited"
    assert "were not checked" in text
    assert found(usage(2), plan(2), valid=False, reason="it died", server=ServerUsage()) == {}


def test_stolen_time_counts_on_cores_that_matter_alone() -> None:
    told = found(usage(64, OWN, {16: 0.8}), plan(64))
    assert "took 8% of the CPU time of core 16 (of the load generator's)" in told["stolen_time"].message
    assert found(usage(64, OWN, {17: 9.0}), plan(64)) == {}
    assert found(usage(2, OWN, {0: 0.4}), plan(2)) == {}
    assert "core 0 (the server's)" in found(usage(2, OWN, {0: 0.6}), plan(2))["stolen_time"].message
    assert "stolen_time" not in found(usage(2, {}, {0: 0.04}, span_s=0.5), plan(2))  # four ticks of the clock


def test_where_cores_are_shared_or_not_pinned_all_of_them_matter() -> None:
    both = found(usage(2, {0: 1.0, 1: 9.0}), plan(2, 2.0))
    assert "core 1 (of the server's and the load generator's)" in both["busy_machine"].message
    free = found(usage(4, {3: 9.0}, {}, {3: 2}), plan(4, pinned=False))
    assert set(free) == {"not_pinned", "busy_machine", "slowed_by_heat"}
    assert "core 3 (of this machine's)" in free["busy_machine"].message


def test_heat_counts_on_cores_that_matter_and_not_known_is_not_0() -> None:
    assert found(usage(64, OWN, {}, {0: 2, 5: 1}), plan(64))["slowed_by_heat"].value == 3
    assert found(usage(64, OWN, {}, {50: 2}), plan(64)) == {}
    assert found(usage(64, OWN, slowed=None), plan(64)) == {}


SIBLINGS: dict[str, Any] = {"siblings": ((0, 1),)}


def test_two_threads_of_one_physical_core_are_a_warning_where_both_can_have_computed() -> None:
    quiet = found(usage(2, {0: 1.0, 1: 0.6}), plan(2, **SIBLINGS))["sibling_cores"]
    assert quiet.severity == "note"
    assert "core 0 (server) and core 1 (load generator) are two threads of one physical core" in quiet.message
    assert "for at most 6% of the time" in quiet.message
    busy = found(usage(2, {0: 3.0, 1: 2.0}), plan(2, **SIBLINGS), client=ClientUsage(cpu_s=2.0))["sibling_cores"]
    assert (busy.severity, busy.value) == ("warning", 0.2)
    unknown = found(MachineUsage(), plan(2, **SIBLINGS))["sibling_cores"]
    assert (unknown.severity, unknown.value) == ("warning", None)
    for others in ((), None):
        assert "sibling_cores" not in found(usage(2, OWN), plan(2, siblings=others))


def test_a_quota_of_the_lab_s_own_group_is_a_finding() -> None:
    throttled = found(usage(2, OWN, group_quota=1.0, group_throttled_s=0.3), plan(2))["own_quota"]
    assert throttled.severity == "warning"
    assert "throttled it for 0.30 s of 10.0 s" in throttled.message
    low = found(usage(2, OWN, group_quota=1.5, group_throttled_s=0.1), plan(2))["own_quota"]
    assert low.severity == "note"
    assert "a quota of 1.5 CPUs, and servers and load generator have 2 cores: it did not throttle them" in low.message
    unknown = found(usage(2, OWN, group_quota=1.5), plan(2))["own_quota"]
    assert unknown.severity == "warning"
    assert "is not known" in unknown.message


def test_a_quota_that_is_enough_or_none_is_no_finding() -> None:
    for quota, throttled_s in ((2.0, 0.1), (None, 0.0), (None, None)):
        assert found(usage(2, OWN, group_quota=quota, group_throttled_s=throttled_s), plan(2)) == {}
    # Containers have groups of their own; a group around them that is throttled counts there, too.
    assert found(usage(2, OWN, group_quota=1.0, group_throttled_s=0.0), plan(2), "docker") == {}
    assert "own_quota" in found(usage(2, OWN, group_quota=1.0, group_throttled_s=5.0), plan(2), "docker")
