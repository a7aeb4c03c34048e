"""Findings of the machine, on made-up trials: neighbours, stolen time, quotas, threads of one core, heat."""

from collections.abc import Mapping, Sequence
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


def trial(used: MachineUsage, **changes: Any) -> TrialRecord:
    """Return a trial on that machine; server and load generator computed for a second each."""
    facts: dict[str, Any] = {
        "index": 0, "started": datetime.now(UTC), "duration_s": SPAN_S, "valid": True, "reason": None,
        "server": ServerUsage(cpu_s=1.0), "client": ClientUsage(cpu_s=1.0), "machine": used,
    }  # fmt: skip
    return TrialRecord.model_validate({**facts, **changes})


def found(
    used: MachineUsage,
    planned: CpuPlanInfo,
    runtime: str = "local",
    others: Sequence[MachineUsage | TrialRecord] = (),
    **changes: Any,
) -> dict[str, Finding]:
    """Return the findings of one such trial, and of `others`."""
    more = [each if isinstance(each, TrialRecord) else trial(each) for each in others]
    trials = [trial(used, **changes), *more]
    run = RunInfo.model_validate(
        {
            "kind": "made", "experiment": {"name": "made"}, "models": (), "runtime": runtime, "runtime_reason": "a test",
            "generator": "hey", "cpu_plans": (planned,), "environment": {}, "trials_planned": 1, "started": datetime.now(UTC),
        }
    )  # fmt: skip
    yielded = list(machine.during(run, trials, planned.cpus))
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


@pytest.mark.parametrize("number", [1, 2, 8, 24, 64])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_one_neighbour_on_a_core_of_the_server_is_found_however_many_cores_the_server_has(
    number: int, share: float
) -> None:
    """The neighbour has core 0 to itself, and the server computes on the others for that share of the time."""
    own_s = share * 10 * max(1, number - 1)
    busy = {0: 10.0, **dict.fromkeys(range(1, number), share * 10)}
    facts: dict[str, Any] = {"server": ServerUsage(cpu_s=own_s if number > 1 else share * 5)}
    told = found(usage(number + 1, {**busy, number: 1.1}), plan(number + 1, number), **facts)
    assert set(told) == {"busy_machine"}
    assert "(of the server's)" in told["busy_machine"].message or number == 1
    quiet = {core: 0.0 if number > 1 and core == 0 else seconds for core, seconds in busy.items()}
    facts = {"server": ServerUsage(cpu_s=own_s if number > 1 else 10.0)}
    assert found(usage(number + 1, {**quiet, number: 1.1}), plan(number + 1, number), **facts) == {}


def test_three_quarters_of_one_of_the_load_generator_s_cores_are_found_beside_a_busy_generator() -> None:
    client: dict[str, Any] = {"client": ClientUsage(cpu_s=15.0)}
    spread = dict.fromkeys(range(1, 17), 15.1 / 16)
    assert found(usage(17, {0: 1.0, **spread}), plan(17), **client) == {}
    told = found(usage(17, {0: 1.0, **spread, 5: 15.1 / 16 + 7.4}), plan(17), **client)
    assert "used 0.7 of cores 1, 2, 3," in told["busy_machine"].message


@pytest.mark.parametrize(
    "busy_s",
    [
        {3: 9.6},  # one thread that stays
        dict.fromkeys(range(24), 0.4),  # one that moves
        {0: 5.0, 7: 4.6},
        {core: 10.0 if core < 20 else 0.0 for core in range(24)},  # twenty threads
        dict.fromkeys(range(24), 9.9),
    ],
)
def test_the_lab_s_own_programs_are_no_neighbours_wherever_they_compute(busy_s: dict[int, float]) -> None:
    """With 1% of each core for what an idle system does."""
    idle = {core: busy_s.get(core, 0.0) + 0.1 for core in range(24)}
    server: dict[str, Any] = {"server": ServerUsage(cpu_s=sum(busy_s.values()))}
    assert found(usage(25, {**idle, 24: 1.1}), plan(25, 24), **server) == {}


def test_the_lab_s_own_process_is_not_pinned_and_no_neighbour_on_any_core() -> None:
    for core in (0, 1, 20):
        assert found(usage(64, {**OWN, core: OWN.get(core, 0.0) + 6.0}, own_s=6.1), plan(64)) == {}


@pytest.mark.parametrize(
    ("number", "used", "span_s", "named"),
    [
        (24, 0.45, 10.0, False), (24, 0.55, 10.0, True), (64, 0.45, 10.0, False), (64, 0.55, 10.0, True),
        (8, 0.35, 10.0, False), (8, 0.45, 10.0, True), (64, 1.5, 0.4, False), (64, 1.7, 0.4, True),
    ],
)  # fmt: skip
def test_a_little_of_each_of_many_cores_is_tolerated_up_to_half_a_core_in_all(
    number: int, used: float, span_s: float, named: bool
) -> None:
    """In a short trial the kernel's counts are too coarse for that: each can be a step of 10 ms off."""
    busy = dict.fromkeys(range(number), used * span_s / number)
    machine = usage(number + 1, busy, span_s=span_s, own_s=0.0)
    told = found(machine, plan(number + 1, number), server=ServerUsage(cpu_s=0.0), client=ClientUsage(cpu_s=0.0))
    assert ("busy_machine" in told) is named


def test_no_more_is_said_of_a_core_than_it_has() -> None:
    busy = {0: 9.0, **dict.fromkeys(range(1, 8), 2.5), 8: 1.1}
    assert "used 0.8 of core 0 (of the server's)" in found(usage(9, busy), plan(9, 8))["busy_machine"].message


def test_one_neighbour_elsewhere_is_named_too() -> None:
    told = found(usage(64, {**OWN, 40: 9.0}), plan(64))
    assert set(told) == {"busy_elsewhere"}
    assert "used 0.9 of the 47 cores that the run did not use" in told["busy_elsewhere"].message


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


@pytest.mark.parametrize(("busy_s", "named"), [(3.5, False), (3.7, True)])
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


def test_trials_that_were_not_checked_are_counted_beside_those_that_were() -> None:
    quiet = usage(2, OWN)
    unknown, blind = trial(usage(2, {0: 10.0}), server=ServerUsage()), trial(usage(2, {0: 10.0}, span_s=0.15))
    dead = trial(quiet, valid=False, reason="it died", server=ServerUsage())
    told = found(quiet, plan(2), others=[unknown, dead])
    assert set(told) == {"not_checked"}
    assert told["not_checked"].severity == "note"
    assert told["not_checked"].message.startswith(
        "other programs were not checked in 1 of 2 trials: the CPU time of the server"
    )
    message = found(quiet, plan(2), others=[blind])["not_checked"].message
    assert message.startswith("other programs and stolen time were not checked in 1 of 2 trials: a trial of 0.15 s is")
    message = found(quiet, plan(2), others=[unknown, unknown, blind])["not_checked"].message
    assert message.startswith("other programs were not checked in 3 of 4 trials, nor stolen time in 1 of them: ")
    busy = found(usage(2, {0: 10.0, 1: 1.1}), plan(2), others=[unknown])
    assert set(busy) == {"busy_machine", "not_checked"}
    assert found(quiet, plan(2), others=[quiet]) == {}


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
    assert "throttled it for 0.30 s, summed over 2 cores, of 10.0 s" in throttled.message
    low = found(usage(2, OWN, group_quota=1.0, group_throttled_s=0.19), plan(2))["own_quota"]
    assert low.severity == "note"
    assert low.message.endswith(
        "a quota of 1 CPU, and servers and load generator have 2 cores: it throttled them for 0.19 s, summed over 2"
        " cores, of 10.0 s, which is too little to count (2%)"
    )
    never = found(usage(2, OWN, group_quota=1.5, group_throttled_s=0.0), plan(2))["own_quota"]
    assert never.severity == "note"
    assert never.message.endswith(
        "a quota of 1.5 CPUs, and servers and load generator have 2 cores: it did not throttle them"
    )
    unknown = found(usage(2, OWN, group_quota=1.5), plan(2))["own_quota"]
    assert unknown.severity == "warning"
    assert "is not known" in unknown.message


def test_throttled_time_of_several_cores_can_be_longer_than_the_trial_and_says_so() -> None:
    used = usage(2, OWN, group_quota=1.0, group_throttled_s=37.0, cores=4)
    assert found(used, plan(2))["own_quota"].message.endswith("for 37.00 s, summed over 4 cores, of 10.0 s")
    one = found(usage(1, {0: 2.1}, group_quota=0.5, group_throttled_s=0.1), plan(1, 0.5))["own_quota"]
    assert "have 1 core: it throttled them for 0.10 s of 10.0 s, which is too little to count" in one.message
    alone = found(usage(2, OWN), plan(2), server=ServerUsage(cpu_s=1.0, throttled_s=5.2))["throttled"]
    assert alone.message == "the quota of 1 CPU throttled the server's core for 5.20 s of 10.0 s"
    several = found(usage(4, OWN), plan(4, 2.5), server=ServerUsage(cpu_s=1.0, throttled_s=25.0))["throttled"]
    assert several.message == (
        "the quota of 2.5 CPUs throttled the server's cores for 25.00 s, summed over 3 cores, of 10.0 s"
    )


def test_a_quota_did_not_throttle_only_where_every_trial_was_counted() -> None:
    counted, uncounted = (usage(2, OWN, group_quota=1.0, group_throttled_s=each) for each in (0.0, None))
    some = found(counted, plan(2), others=(uncounted,))["own_quota"]
    assert some.severity == "warning"
    assert some.message.endswith("2 cores: whether it throttled them is not known in 1 of 2 trials")
    little = usage(2, OWN, group_quota=1.0, group_throttled_s=0.1)
    both = found(little, plan(2), others=(uncounted,))["own_quota"].message
    assert both.endswith("too little to count (2%); whether it throttled them is not known in 1 of 2 trials")


def test_a_trial_whose_throttled_time_is_not_known_does_not_dilute_that_of_others() -> None:
    trials = [trial(usage(2, OWN), server=ServerUsage(cpu_s=1.0, throttled_s=each)) for each in (0.3, *[None] * 9)]
    (finding,) = [each for each in machine.on(plan(2), "local", trials) if each.id == "throttled"]
    assert "for 0.30 s of 10.0 s" in finding.message


def test_a_quota_that_is_enough_or_none_is_no_finding() -> None:
    for quota, throttled_s in ((2.0, 0.1), (None, 0.0), (None, None)):
        assert found(usage(2, OWN, group_quota=quota, group_throttled_s=throttled_s), plan(2)) == {}
    # Containers have groups of their own; a group around them that is throttled counts there, too.
    assert found(usage(2, OWN, group_quota=1.0, group_throttled_s=0.0), plan(2), "docker") == {}
    assert "own_quota" in found(usage(2, OWN, group_quota=1.0, group_throttled_s=5.0), plan(2), "docker")
