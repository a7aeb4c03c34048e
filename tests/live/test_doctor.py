import pytest

from iolab.errors import UsageError
from iolab.host.limits import Facts
from iolab.lab import Lab
from iolab.live import disturbance, doctor, standing
from iolab.live.doctor import crowd
from iolab.results.records import MachineUsage
from iolab.runtime.compose import Compose, Engine
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


def usage(**changes: float | None) -> MachineUsage:
    return MachineUsage.model_validate({"span_s": 0.5, "busy_s": 0.02, "steal_s": 0.0, "own_s": 0.01} | changes)


def test_a_quiet_machine_is_fine_and_what_disturbs_is_named_with_one_fix() -> None:
    quiet = disturbance.of_usage(usage(), 2)
    assert [fine for fine, _, _ in quiet] == [True, True]
    (load, name, text), (stolen, _, other) = disturbance.of_usage(usage(busy_s=0.6, steal_s=0.05), 2)
    assert (load, name, text) == (
        False,
        "load",
        "other programs use 59% of the 2 cores now: end them before you measure",
    )
    assert (stolen, other) == (False, "the hypervisor takes 5% of the CPU time now: measure at another time")


def test_what_is_not_known_is_not_told() -> None:
    assert disturbance.of_usage(usage(busy_s=None, steal_s=None), 2) == []
    assert disturbance.of_governor("") == []
    assert disturbance.of_governor("performance") == []
    ((fine, _, text),) = disturbance.of_governor("powersave")
    assert not fine
    assert "cpupower frequency-set -g performance" in text


def test_throttling_by_heat_and_by_a_quota_is_named_with_one_fix() -> None:
    assert disturbance.of_heat(usage(slowed=0)) == disturbance.of_heat(usage(slowed=None)) == []
    ((fine, name, text),) = disturbance.of_heat(usage(slowed=3))
    assert (fine, name) == (False, "heat")
    assert "cool down" in text
    assert disturbance.of_quota(None, 2) == disturbance.of_quota(2.0, 2) == []
    ((fine, name, text),) = disturbance.of_quota(1.5, 2)
    assert (fine, name) == (False, "throttling")
    assert text.startswith("the control group throttles this shell at 1.5 of 2 cores: raise its quota")


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
