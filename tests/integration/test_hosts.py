"""Load from several hosts, each a network namespace with an address of its own: late ones, and ones with wrong clocks."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import own
from tests.conftest import DISTURBANCES, Start, python_path
from tests.integration.test_local import latest, wait_for
from tests.integration.test_queue import trials, wait_for_the_first_plan
from tests.own import free_ports

AN_HOUR_FAST = "import time\nreal = time.time\ntime.time = lambda: real() + 3600\n"
TOGETHER = ("queue", "--runtime", "local", "--models", "A", "--wait-distribution", "exponential")
pytestmark = [pytest.mark.load, pytest.mark.needs("hosts")]
Join = Callable[..., "subprocess.Popen[str]"]


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@dataclass(frozen=True)
class Hosts:
    """Three hosts, and the address at which they reach this machine."""

    master: str
    names: tuple[str, ...]


def free_network() -> str:
    """Return the first three numbers of a network that no interface of this machine is in."""
    shown = subprocess.run(["ip", "-o", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    numbers = range(own.mine().number, 256, own.SLOTS)  # of this process alone
    return next(network for number in numbers if f"{(network := f'10.77.{number}')}." not in shown)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Three hosts on a bridge whose own address is the master's."""
    prefix, network = own.mine().short, free_network()
    bridge, found = f"{prefix}b", Hosts(f"{network}.1", tuple(f"{prefix}w{number}" for number in (1, 2, 3)))
    with ExitStack() as stack:
        ip("link", "add", bridge, "type", "bridge")
        stack.callback(ip, "link", "del", bridge)
        ip("addr", "add", f"{found.master}/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for number, host in enumerate(found.names, 11):
            ip("netns", "add", host)
            stack.callback(ip, "netns", "del", host)
            ip("link", "add", f"{host}v", "type", "veth", "peer", "name", "eth0", "netns", host)
            stack.callback(ip, "link", "del", f"{host}v")
            ip("link", "set", f"{host}v", "master", bridge, "up")
            ip("-n", host, "addr", "add", f"{network}.{number}/24", "dev", "eth0")
            ip("-n", host, "link", "set", "eth0", "up")
        yield found


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def join(start: Start, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Join:
    """Start `iolab worker` on a host, once the master listens; its clocks can be others than the master's."""
    (port,) = free_ports(1)
    monkeypatch.setenv("LOCUST_MASTER_PORT", str(port))

    def begin(host: str, master: "subprocess.Popen[str]", *clock: str, **options: object) -> "subprocess.Popen[str]":
        listens = ["ss", "-Hltn", f"sport = :{port}"]
        wait_for(lambda: subprocess.run(listens, capture_output=True, text=True, check=True).stdout, master)
        inside = ("ip", "netns", "exec", host, *clock)
        return start("worker", hosts.master, "--runtime", "local", before=inside, **options)

    return begin


@pytest.mark.bounds
def test_hosts_make_one_plan_together_and_their_clocks_enter_nothing(
    start: Start, join: Join, hosts: Hosts, results: Path, tmp_path: Path
) -> None:
    """One host's wall clock is an hour fast, another one's monotonic clock is of another time altogether."""
    (tmp_path / "sitecustomize.py").write_text(AN_HOUR_FAST)
    master = start(*TOGETHER, "--bind", hosts.master, "--utilisation", "0.5", "--duration", "4s", "--join", "3")
    workers = [
        join(hosts.names[0], master),
        join(hosts.names[1], master, variables=python_path(tmp_path)),
        join(hosts.names[2], master, "unshare", "--time", "--monotonic", "86400"),
    ]
    stdout, stderr = master.communicate(timeout=120)
    assert master.returncode == 0, stdout + stderr
    assert f"Waiting for 3 load workers; on each other machine: make worker MASTER={hosts.master}" in stdout
    (trial,) = trials(results)
    assert (trial["load_workers"], trial["lost_workers"]) == (3, 0)
    (cell,) = latest(results, "summary.json")["cells"]
    assert 0 < cell["mean_ms"] < 1000
    if not {one["id"] for one in cell["findings"]} & {*DISTURBANCES, "late_sends"}:
        assert cell["mean_ms"] == pytest.approx(cell["same_trace"]["mean_ms"], rel=0.15)
    for worker in workers:
        said, _ = worker.communicate(timeout=30)
        assert worker.returncode == 0
        assert said.endswith("The master has stopped the load workers.\n")


def test_who_joins_late_takes_part_from_the_next_plan_on(start: Start, join: Join, hosts: Hosts, results: Path) -> None:
    master = start(
        *TOGETHER, "--bind", hosts.master, "--utilisation", "0.3,0.4,0.5,0.6", "--duration", "4s", "--join", "1"
    )
    first = join(hosts.names[0], master)
    wait_for_the_first_plan(master, results, requests=5)
    second = join(hosts.names[1], master)
    _, stderr = master.communicate(timeout=120)
    assert master.returncode == 0, stderr
    known = [trial["load_workers"] for trial in trials(results)]
    assert known[0] == 1
    assert known[-1] == 2
    assert [worker.wait(30) for worker in (first, second)] == [0, 0]


def test_a_worker_that_is_interrupted_leaves_nothing(start: Start, join: Join, hosts: Hosts, results: Path) -> None:
    master = start(*TOGETHER, "--bind", hosts.master, "--utilisation", "0.3", "--duration", "20s", "--join", "1")
    worker = join(hosts.names[0], master)
    wait_for(lambda: processes_on(hosts.names[0]) >= 2, master)
    worker.terminate()
    assert worker.wait(30) == 143
    assert processes_on(hosts.names[0]) == 0
    master.terminate()
    assert master.wait(60) == 143


def processes_on(host: str) -> int:
    return len(subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True, check=True).stdout.split())
