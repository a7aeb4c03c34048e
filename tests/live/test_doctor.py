import io
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from iolab.errors import UsageError
from iolab.host.cores import plan
from iolab.host.limits import Facts
from iolab.lab import Lab
from iolab.live import disturbance, doctor, standing
from iolab.live.doctor import crowd
from iolab.report.terminal import show_facts
from iolab.results.records import MachineUsage
from iolab.runtime.compose import Compose, Engine
from tests import quiet
from tests.conftest import ROOT, Run


def test_doctor_says_how_many_can_come_and_what_is_in_the_way() -> None:
    one, several, threads = crowd(Facts(files=20_000, maps=65_530, pid_max=32_000))
    assert one[0]
    assert one[1] == "crowd"
    assert one[2].startswith(
        "asyncio, one process: 19,936 of 100,000 users can connect: a process may have 20,000 open files"
    )
    assert several[2] == "asyncio, 6 processes: 100,000 users can connect"
    assert "(next limit: memory maps, at 21,743)" in threads[2]


def test_a_machine_that_cannot_hold_a_thousand_is_not_fine() -> None:
    one, several, _ = crowd(Facts(files=512))
    assert not one[0]
    assert several[0]
    assert all(fine for fine, _, _ in crowd(Facts()))


def usage(busy_s: Sequence[float] = (0.01, 0.01), **changes: Any) -> MachineUsage:
    return quiet.machine(0.5, busy_s, own_s=0.01, **changes)


def test_a_quiet_machine_is_fine_and_what_disturbs_is_named_with_one_fix() -> None:
    assert [fine for fine, _, _ in disturbance.of_usage(usage(), (0, 1))] == [True, True]
    (load, name, text), (stolen, _, other) = disturbance.of_usage(usage((0.1, 0.5), steal_s=(0.0, 0.05)), (0, 1))
    expected = "other programs use 59% of the 2 cores now, and more than 25% of core 1: end them before you measure"
    assert (load, name, text) == (False, "load", expected)
    assert (stolen, other) == (
        False, "the hypervisor takes up to 10% of the CPU time of a core now: measure at another time"
    )  # fmt: skip


def test_one_busy_core_of_many_is_named_and_cores_of_others_do_not_count() -> None:
    many = usage((0.0,) * 63 + (0.5,), steal_s=(0.0,) * 64)
    ((fine, _, text), _) = disturbance.of_usage(many, range(64))
    assert not fine
    assert "use 2% of the 64 cores now, and more than 25% of core 63" in text
    assert all(fine for fine, _, _ in disturbance.of_usage(many, range(32)))


def test_what_is_not_known_is_not_checked_and_not_fine() -> None:
    rows = [*disturbance.of_usage(MachineUsage(span_s=0.5, cores=2, own_s=0.0), (0, 1))]
    rows += [disturbance.of_heat(MachineUsage()), disturbance.of_quota(MachineUsage(), (0, 1))]
    rows += [disturbance.of_siblings(plan(1, range(2)))]
    assert [fine for fine, _, _ in rows] == [None] * 5
    assert all(text.startswith(("not checked: ", "not known: ")) for _, _, text in rows)
    assert disturbance.of_governor("") == []
    assert disturbance.of_governor("performance") == []
    ((fine, _, text),) = disturbance.of_governor("powersave")
    assert not fine
    assert "cpupower frequency-set -g performance" in text


def test_what_is_not_known_has_a_mark_of_its_own() -> None:
    console = Console(file=io.StringIO(), width=100)
    show_facts(console, [(True, "a", "1"), (False, "b", "2"), (None, "c", "3")])
    assert [line[0] for line in console.file.getvalue().splitlines()] == ["✓", "✗", "?"]  # type: ignore[attr-defined]


def test_throttling_by_heat_and_by_a_quota_is_named_with_one_fix() -> None:
    assert disturbance.of_heat(usage())[0] is True
    fine, name, text = disturbance.of_heat(usage(slowed=3))
    assert (fine, name) == (False, "heat")
    assert "cool down" in text
    assert disturbance.of_quota(usage(group_quota=2.0), (0, 1))[0] is True
    assert disturbance.of_quota(usage(group_throttled_s=0.0), (0, 1))[0] is True
    fine, name, text = disturbance.of_quota(usage(group_quota=1.5), (0, 1))
    assert (fine, name) == (False, "throttling")
    assert text.startswith("the control group throttles this shell at 1.5 of 2 cores: raise its quota")


def test_two_threads_of_one_physical_core_are_named() -> None:
    fine, name, text = disturbance.of_siblings(plan(1, range(2), {core: frozenset({0, 1}) for core in (0, 1)}))
    assert (fine, name) == (False, "SMT")
    assert "core 0 (servers) and core 1 (load generator)" in text
    assert disturbance.of_siblings(plan(1, range(2), {core: frozenset({core}) for core in (0, 1)}))[0] is True


def shared_port() -> Lab:
    return Lab.parse(ROOT, (ROOT / "docker-compose.yml").read_text(), {"ASYNCIO_PORT": "8080"})


def test_two_services_on_one_port_are_refused_before_anything_starts(
    inside: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object, **__: object) -> None:
        pytest.fail("docker compose is called")

    monkeypatch.setattr(Compose, "__call__", started)
    engine = Engine("28", "2.40", 2, "v2", "", rootless=False, cpusets=True)
    with pytest.raises(UsageError, match="port 8080 is for blocking and asyncio"):
        standing.up(shared_port(), engine, 1, 1, lambda _: None, loads="closed")
    done = inside("bench", "--runtime", "local", variables={"ASYNCIO_PORT": "18080", "BLOCKING_PORT": "18080"})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "port 18080 is for blocking and asyncio: choose another one for one of them in .env" in done.stderr


def test_two_services_on_one_port_are_named() -> None:
    assert doctor._shared_ports(Lab.read_defaults(ROOT)) == []
    ((fine, name, text),) = doctor._shared_ports(shared_port())
    assert (fine, name) == (False, "ports")
    assert text.startswith("port 8080 is for blocking and asyncio: choose another one")
