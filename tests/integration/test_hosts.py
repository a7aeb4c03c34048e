"""Load from several hosts, each a network namespace with an address of its own: late ones, and ones with wrong clocks."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import DISTURBANCES, Start, free_ports
from tests.integration.test_local import latest, wait_for
from tests.integration.test_queue import trials

# Names and a network of this process's own: a test that was killed leaves its hosts behind.
NETWORK = f"10.77.{os.getpid() % 256}"
MASTER = f"{NETWORK}.1"
HOSTS = tuple(f"iolab{os.getpid()}w{number}" for number in (1, 2, 3))
BRIDGE = f"iolab{os.getpid()}"
AN_HOUR_FAST = "import time\nreal = time.time\ntime.time = lambda: real() + 3600\n"
TOGETHER = (
    "queue", "--runtime", "local", "--models", "A", "--wait-distribution", "exponential", "--bind", MASTER,
)  # fmt: skip
Join = Callable[..., "subprocess.Popen[str]"]


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@pytest.fixture
def hosts() -> Iterator[None]:
    """Three hosts on a bridge whose own address is the master's; skipped where this user may not make them."""
    if os.name != "posix" or not shutil.which("ip") or os.geteuid() != 0:
        if os.environ.get("IOLAB_REQUIRE_DOCKER") == "1":
            pytest.fail("hosts as network namespaces need root and ip (iproute2)")
        pytest.skip("hosts as network namespaces need root and ip (iproute2)")
    with ExitStack() as stack:
        ip("link", "add", BRIDGE, "type", "bridge")
        stack.callback(ip, "link", "del", BRIDGE)
        ip("addr", "add", f"{MASTER}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for number, host in enumerate(HOSTS, 11):
            ip("netns", "add", host)
            stack.callback(ip, "netns", "del", host)
            ip("link", "add", f"{host}v", "type", "veth", "peer", "name", "eth0", "netns", host)
            stack.callback(ip, "link", "del", f"{host}v")
            ip("link", "set", f"{host}v", "master", BRIDGE, "up")
            ip("-n", host, "addr", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            ip("-n", host, "link", "set", "eth0", "up")
        yield


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def join(start: Start, hosts: None, monkeypatch: pytest.MonkeyPatch) -> Join:
    """Start `iolab worker` on a host, once the master listens; its clocks can be others than the master's."""
    (port,) = free_ports(1)
    monkeypatch.setenv("LOCUST_MASTER_PORT", str(port))

    def begin(host: str, master: "subprocess.Popen[str]", *clock: str, **options: object) -> "subprocess.Popen[str]":
        listens = ["ss", "-Hltn", f"sport = :{port}"]
        wait_for(lambda: subprocess.run(listens, capture_output=True, text=True, check=True).stdout, master)
        inside = ("ip", "netns", "exec", host, *clock)
        return start("worker", MASTER, "--runtime", "local", before=inside, **options)

    return begin


def test_hosts_make_one_plan_together_and_their_clocks_enter_nothing(
    start: Start, join: Join, results: Path, tmp_path: Path
) -> None:
    """One host's wall clock is an hour fast, another one's monotonic clock is of another time altogether."""
    (tmp_path / "sitecustomize.py").write_text(AN_HOUR_FAST)
    master = start(*TOGETHER, "--utilisation", "0.5", "--duration", "10s", "--join", "3")
    workers = [
        join(HOSTS[0], master),
        join(HOSTS[1], master, variables={"PYTHONPATH": str(tmp_path)}),
        join(HOSTS[2], master, "unshare", "--time", "--monotonic", "86400"),
    ]
    stdout, stderr = master.communicate(timeout=120)
    assert master.returncode == 0, stdout + stderr
    assert f"Waiting for 3 load workers; elsewhere: make worker MASTER={MASTER}" in stdout
    (trial,) = trials(results)
    assert (trial["load_workers"], trial["lost_workers"]) == (3, 0)
    (cell,) = latest(results, "summary.json")["cells"]
    assert 0 < cell["mean_ms"] < 1000
    if not {one["id"] for one in cell["findings"]} & {*DISTURBANCES, "late_sends"}:
        assert cell["mean_ms"] == pytest.approx(cell["same_trace"]["mean_ms"], rel=0.15)
    for worker in workers:
        said, _ = worker.communicate(timeout=30)
        assert worker.returncode == 0
        assert said.endswith("The master has sent the load workers home.\n")


def test_who_joins_late_takes_part_from_the_next_plan_on(start: Start, join: Join, results: Path) -> None:
    master = start(*TOGETHER, "--utilisation", "0.3,0.4,0.5", "--duration", "4s", "--join", "1")
    first = join(HOSTS[0], master)
    wait_for(lambda: len(trials(results)) == 1, master)
    second = join(HOSTS[1], master)
    _, stderr = master.communicate(timeout=120)
    assert master.returncode == 0, stderr
    known = [trial["load_workers"] for trial in trials(results)]
    assert known[0] == 1
    assert known[-1] == 2
    assert [worker.wait(30) for worker in (first, second)] == [0, 0]


def test_a_worker_that_is_interrupted_leaves_nothing(start: Start, join: Join, results: Path) -> None:
    master = start(*TOGETHER, "--utilisation", "0.3", "--duration", "20s", "--join", "1")
    worker = join(HOSTS[0], master)
    wait_for(lambda: processes_on(HOSTS[0]) >= 2, master)
    worker.terminate()
    assert worker.wait(30) == 143
    assert processes_on(HOSTS[0]) == 0
    master.terminate()
    assert master.wait(60) == 143


def processes_on(host: str) -> int:
    return len(subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True, check=True).stdout.split())
