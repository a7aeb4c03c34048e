"""`iolab up`, looked at with a browser, and `iolab down`."""

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from iolab.lab import Lab
from iolab.runtime import probe
from tests.conftest import ROOT, Run
from tests.docker.conftest import leftovers

pytestmark = pytest.mark.docker
LOG = ROOT / "results" / "trace" / "log_streamlit.txt"


def port(lab: Lab, service: str) -> int:
    return next(one.ports[0].host for one in lab.services if one.name == service)


def inspect(project: str) -> dict[str, Any]:
    listed = ["docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={project}"]
    identities = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    described = json.loads(
        subprocess.run(["docker", "inspect", *identities], capture_output=True, text=True, check=True).stdout
    )
    return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in described}


def click_the_button(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    button = page.get_by_role("button", name="Give me a lucky number!")
    button.wait_for(timeout=60_000)
    button.click()
    page.get_by_text("Your lucky number").wait_for(timeout=60_000)
    page.close()


def opens_of_balloons() -> int:
    return sum('balloons.py", O_RDONLY' in line for line in LOG.read_text(errors="replace").splitlines())


def start_locust(browser: Browser, address: str) -> dict[str, int]:
    """Press Start as a visitor would, and return the requests of each class after a while."""
    page = browser.new_page()
    page.goto(address)
    start = page.get_by_role("button", name="Start")
    start.wait_for(timeout=60_000)
    boxes = page.locator("input[type=checkbox]").all()
    assert [box.is_checked() for box in boxes] == [True] * 13  # all of them and each: the page knows the classes' names
    start.click()
    counts: dict[str, int] = {}
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and len(counts) < 12:
        stats = page.evaluate("() => fetch('stats/requests').then(answer => answer.json())")
        counts = {one["name"]: one["num_requests"] for one in stats["stats"] if one["name"] != "Aggregated"}
        page.wait_for_timeout(300)
    page.get_by_role("button", name="Stop").first.click()
    page.close()
    return counts


def test_up_shows_the_whole_lab_and_down_leaves_nothing(iolab: Run, lab: Lab, browser: Browser, project: str) -> None:
    try:
        up = iolab("up")
        assert up.returncode == 0, up.stderr
        for service in ("blocking", "threadpool", "asyncio", "threadperconnection", "streamlit", "locust"):
            assert f"http://localhost:{port(lab, service)}" in up.stdout
        for model in lab.models:
            assert probe.get(("127.0.0.1", model.port.host), "/", 10)[0] == 200
        check_rights(inspect(project))
        before = opens_of_balloons()
        for _ in range(2):
            click_the_button(browser, f"http://localhost:{port(lab, 'streamlit')}")
        assert opens_of_balloons() == before + 2  # one openat a click
        for call in ("listen(", "epoll_ctl(", "accept4(", "recvfrom("):
            assert call in LOG.read_text(errors="replace")
        assert LOG.stat().st_mode & 0o444 == 0o444
        counts = start_locust(browser, f"http://localhost:{port(lab, 'locust')}")
        letters = ("ABlocking", "BThreadpool", "CAsyncio", "DThreadperconnection")
        assert sorted(counts) == sorted(letter + kind for letter in letters for kind in ("", "Chat", "Open"))
        assert all(counts.values())
        again = iolab("up")  # what runs already is left as it is
        assert again.returncode == 0, again.stderr
    finally:
        down = iolab("down")
    assert down.returncode == 0, down.stderr
    assert leftovers(project) == []


def check_rights(containers: dict[str, Any]) -> None:
    assert set(containers) == {
        "blocking",
        "threadpool",
        "asyncio",
        "threadperconnection",
        "streamlit",
        "locust",
        "locust-worker",
    }
    for name, container in containers.items():
        host = container["HostConfig"]
        assert container["Config"]["User"].split(":")[0] not in ("", "0", "root")
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert [cap.removeprefix("CAP_") for cap in host["CapAdd"] or []] == (
            ["SYS_PTRACE"] if name == "streamlit" else []
        )
        assert host["Memory"] > 0
        assert host["PidsLimit"] > 0
        for bindings in (host["PortBindings"] or {}).values():
            assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"]
    assert containers["asyncio"]["HostConfig"]["NanoCpus"] == 1_000_000_000
    assert containers["asyncio"]["HostConfig"]["CpusetCpus"] == "0"
    assert containers["asyncio"]["State"]["Health"]["Status"] == "healthy"


def test_the_log_of_an_earlier_run_is_kept(iolab: Run, lab: Lab, project: str) -> None:
    try:
        assert iolab("up").returncode == 0
        first = LOG.read_bytes()[:2000]
        subprocess.run(["docker", "restart", f"{project}-streamlit-1"], check=True, capture_output=True)
        deadline = time.monotonic() + 20
        while not [path for path in LOG.parent.glob("log_streamlit-*.txt") if path.read_bytes()[:2000] == first]:
            assert time.monotonic() < deadline, "the log is gone"
            time.sleep(0.1)
    finally:
        iolab("down")


def test_a_taken_port_is_named_and_nothing_is_started(iolab: Run, lab: Lab, project: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port(lab, "locust")))
        holder.listen()
        up = iolab("up")
    assert up.returncode == 2
    assert f"port {port(lab, 'locust')} for locust is taken by" in up.stderr
    assert leftovers(project) == []


def test_a_service_that_does_not_come_up_is_named_with_its_last_words(iolab: Run, project: str) -> None:
    up = iolab("up", variables={"WAIT_MS": "forever"})
    assert up.returncode == 2
    assert "did not come up" in up.stderr
    assert "WAIT_MS=forever: must be a number" in up.stderr
    assert leftovers(project) == []


@pytest.mark.parametrize("cpus", ["0", "-1", "4096", "one"])
def test_cpus_that_are_not_there_are_refused(iolab: Run, project: str, cpus: str) -> None:
    done = iolab("up", variables={"CPUS": cpus})
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert cpus in done.stderr


def test_workers_are_as_many_as_asked_for_and_down_removes_what_a_killed_bench_left(iolab: Run, project: str) -> None:
    try:
        assert iolab("up", variables={"WORKERS": "2"}).returncode == 0
        listed = ["docker", "ps", "-q", "--filter", f"name={project}-locust-worker"]
        assert len(subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()) == 2
        command = [
            "docker",
            "compose",
            "-p",
            f"{project}-bench",
            "run",
            "-d",
            "--no-deps",
            "--name",
            f"{project}-bench-x",
            "loadgen",
        ]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    finally:
        iolab("down")
    assert leftovers(project) == []


def test_without_an_engine_up_and_down_say_what_to_do(iolab: Run, tmp_path: Path) -> None:
    for command in ("up", "down"):
        done = iolab(command, variables={"DOCKER_HOST": f"unix://{tmp_path}/nowhere.sock"})
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("iolab: Docker's engine does not run: start it")
