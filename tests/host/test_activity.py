"""The machine during a load, on made-up machines: 64 cores, SMT pairs, macOS, arm64, control groups v1 and v2."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from iolab.host import cpu
from iolab.host.activity import Watch
from iolab.results.records import MachineUsage
from tests.host.machines import TICKS, machine, stat, topology, write

HEAT = "devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"


@pytest.fixture(autouse=True)
def ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", lambda _: TICKS)


def between(
    folder: Path, before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]
) -> MachineUsage:
    """Return what was used between two states of a machine."""
    watch = Watch(machine(folder, **before))
    machine(folder, **after)
    watch.end()
    return watch.usage()


def test_each_core_of_64_is_counted_by_itself(tmp_path: Path) -> None:
    before, after = stat({5: 1.0}, 64), stat({0: 0.25, 5: 3.5}, 64, {63: 0.5})
    usage = between(tmp_path, {"proc": {"stat": before}}, {"proc": {"stat": after}})
    assert usage.by_core is not None
    assert [core.core for core in usage.by_core] == list(range(64))
    assert {core.core: core.busy_s for core in usage.by_core if core.busy_s} == {0: 0.25, 5: 2.5}
    assert {core.core: core.steal_s for core in usage.by_core if core.steal_s} == {63: 0.5}
    assert (usage.busy_s, usage.steal_s) == (2.75, 0.5)


def test_interrupts_are_no_program_s_time(tmp_path: Path) -> None:
    """The kernel serves the packets of the lab's own load in them."""
    lines = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 20 30 9000 500 6 7 80 0 0\n"
    write(tmp_path, {"stat": lines})
    assert cpu.times(tmp_path) == {0: cpu.CoreTimes(1.5, 0.8)}


def test_a_core_that_goes_offline_is_left_out(tmp_path: Path) -> None:
    usage = between(tmp_path, {"proc": {"stat": stat({}, 3)}}, {"proc": {"stat": stat({0: 1.0}, 2)}})
    assert usage.by_core is not None
    assert [core.core for core in usage.by_core] == [0, 1]


def test_on_macos_nothing_is_known_and_nothing_is_0(tmp_path: Path) -> None:
    usage = between(tmp_path, {}, {})
    nothing = (usage.busy_s, usage.steal_s, usage.slowed, usage.by_core, usage.group_quota, usage.group_throttled_s)
    assert nothing == (None,) * 6
    assert usage.own_s is not None
    assert usage.clock_step_s is not None
    assert (cpu.siblings(tmp_path), cpu.heat_counts(tmp_path)) == ({}, {})


def test_arm64_without_counters_of_heat_is_not_known_and_never_0(tmp_path: Path) -> None:
    usage = between(tmp_path, {"proc": {"stat": stat({}, 4)}}, {"proc": {"stat": stat({}, 4)}})
    assert usage.slowed is None
    assert usage.by_core is not None
    assert {core.slowed for core in usage.by_core} == {None}


def test_heat_is_counted_for_each_core(tmp_path: Path) -> None:
    before = {HEAT.format(core): "7\n" for core in range(4)}
    both = {"proc": {"stat": stat({}, 4)}}
    usage = between(tmp_path, {**both, "sys": before}, {**both, "sys": {HEAT.format(2): "9\n"}})
    assert usage.slowed == 2
    assert usage.by_core is not None
    assert [core.slowed for core in usage.by_core] == [0, 0, 2, 0]


V2 = {"proc": {"self/cgroup": "0::/ci/job\n"}}
V1 = {"proc": {"self/cgroup": "4:cpu,cpuacct:/ci\n3:memory:/other\n"}}


@pytest.mark.parametrize(
    ("group", "before", "after", "quota", "throttled_s"),
    [
        (V2, {"ci/cpu.max": "150000 100000", "ci/cpu.stat": "nr_throttled 1\nthrottled_usec 2000000\n"},
         {"ci/cpu.stat": "nr_throttled 9\nthrottled_usec 2500000\n"}, 1.5, 0.5),
        (V1, {"cpu/ci/cpu.cfs_quota_us": "200000", "cpu/ci/cpu.cfs_period_us": "100000",
              "cpu/ci/cpu.stat": "nr_periods 5\nthrottled_time 1000000000\n"},
         {"cpu/ci/cpu.stat": "nr_periods 5\nthrottled_time 1250000000\n"}, 2.0, 0.25),
        (V2, {"ci/job/cpu.max": "max 100000", "ci/job/cpu.stat": "usage_usec 5\n"}, {}, None, None),
        (V2, {"cpu.stat": "throttled_usec 1000000\n", "ci/job/cpu.stat": "throttled_usec 500000\n"},
         {"cpu.stat": "throttled_usec 3000000\n", "ci/job/cpu.stat": "throttled_usec 500000\n"}, None, 2.0),
    ],
    ids=["v2", "v1", "no quota, not counted", "a group around it"],
)  # fmt: skip
def test_the_lab_s_own_quota_and_throttled_time(  # noqa: PLR0917
    tmp_path: Path,
    group: Mapping[str, Mapping[str, str]],
    before: dict[str, str],
    after: dict[str, str],
    quota: float | None,
    throttled_s: float | None,
) -> None:
    usage = between(tmp_path, {**group, "groups": before}, {**group, "groups": after})
    assert (usage.group_quota, usage.group_throttled_s) == (quota, throttled_s)


def test_threads_of_one_physical_core_are_known_from_either_form(tmp_path: Path) -> None:
    write(tmp_path, topology({0: "0-1", 1: "0-1", 2: "2,34", 34: "2,34", 7: "x", 8: "9"}))
    pair, other = frozenset({0, 1}), frozenset({2, 34})
    assert cpu.siblings(tmp_path) == {0: pair, 1: pair, 2: other, 34: other}
