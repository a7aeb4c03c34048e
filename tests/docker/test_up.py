"""`iolab up`, looked at with a browser, and `iolab down`."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from iolab.lab import Lab
from iolab.runtime import probe
from tests.conftest import Run, copied_lab
from tests.docker.conftest import leftovers, listed
from tests.waiting import wait_until

pytestmark = pytest.mark.docker
LOG = Path("results") / "trace" / "log_streamlit.txt"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the lab, where the log of the traced app is this test's own."""
    return copied_lab(tmp_path / "lab")


def port(lab: Lab, service: str) -> int:
    return next(one.ports[0].host for one in lab.services if one.name == service)


def inspect(project: str) -> dict[str, Any]:
    identities = listed("-aq", project=project)
    described = json.loads(
        subprocess.run(["docker", "inspect", *identities], capture_output=True, text=True, check=True).stdout
    )
    return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in described}


def click_the_button(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    button = page.get_by_role("button", name="Give me a lucky number!")
    button.wait_for(timeout=120_000)
    button.click()
    page.get_by_text("Your lucky number").wait_for(timeout=120_000)
    page.close()


def opens_of_balloons(log: Path) -> int:
    return sum('balloons.py", O_RDONLY' in line for line in log.read_text(errors="replace").splitlines())


def start_locust(browser: Browser, address: str) -> dict[str, int]:
    """Press Start as a visitor would, and return the requests of each class after a while."""
    page = browser.new_page()
    page.goto(address)
    start = page.get_by_role("button", name="Start")
    start.wait_for(timeout=120_000)
    boxes = page.locator("input[type=checkbox]").all()
    assert [box.is_checked() for box in boxes] == [
        True,
        False,
        False,
        True,
        False,
    ]  # that of all that are ticked, A, B, C, D
    start.click()
    counts: dict[str, int] = {}
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and not counts:
        stats = page.evaluate("() => fetch('stats/requests').then(answer => answer.json())")
        counts = {one["name"]: one["num_requests"] for one in stats["stats"] if one["name"] != "Aggregated"}
        page.wait_for_timeout(300)
    page.get_by_role("button", name="Stop").first.click()
    page.close()
    return counts


@pytest.mark.alone  # seven containers, a browser and Streamlit under strace on one core: beside others it starves
def test_the_whole_lab_stands_and_down_leaves_nothing(
    iolab: Run, lab: Lab, browser: Browser, project: str, copy: Path
) -> None:
    """One lab that stands serves all that is asked of it: to start it takes longer than to ask."""
    log = copy / LOG
    try:
        up = iolab("up", variables={"WORKERS": "2"}, cwd=copy)
        assert up.returncode == 0, up.stderr
        for service in ("blocking", "threadpool", "asyncio", "threadperconnection", "streamlit", "locust"):
            assert f"http://localhost:{port(lab, service)}" in up.stdout
        for model in lab.models:
            assert probe.get(("127.0.0.1", model.port.host), "/", 10)[0] == 200
        page = ("127.0.0.1", int(os.environ["LAB_PORT"]))
        assert f"http://localhost:{page[1]}" in up.stdout
        assert probe.get(page, "/", 10)[0] == 200
        check_rights(inspect(project))
        assert len(said("docker", "ps", "-q", "--filter", f"name={project}-locust-worker")) == 2
        check_clicks(browser, f"http://localhost:{port(lab, 'streamlit')}", log)
        check_story(iolab, copy)
        counts = start_locust(browser, f"http://localhost:{port(lab, 'locust')}")
        assert list(counts) == ["CAsyncio"]
        again = iolab("up", variables={"WORKERS": "2"}, cwd=copy)  # what runs already is left as it is
        assert again.returncode == 0, again.stderr
        check_that_the_log_of_an_earlier_start_is_kept(project, log)
        leave_what_a_killed_bench_leaves(project, copy)
    finally:
        down = iolab("down", cwd=copy)
    assert down.returncode == 0, down.stderr
    assert leftovers(project) == []
    with pytest.raises(ConnectionRefusedError):
        probe.get(page, "/", 10)


def said(*command: str, cwd: Path | None = None) -> list[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout.split()


def check_clicks(browser: Browser, address: str, log: Path) -> None:
    before = opens_of_balloons(log)
    click_the_button(browser, address)
    assert opens_of_balloons(log) == before + 1  # one openat a click
    for call in ("listen(", "epoll_ctl(", "accept4(", "recvfrom("):
        assert call in log.read_text(errors="replace")
    assert log.stat().st_mode & 0o444 == 0o444


def check_story(iolab: Run, copy: Path) -> None:
    """A browser's click, and then ours, which tells the same."""
    found = json.loads(iolab("trace", str(copy / LOG), "--json").stdout)
    assert (found["proved"], found["clicks_visible"]) == (True, 1)
    done = iolab("trace", "--click", "1", "--json", cwd=copy)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["proved"], found["clicks_visible"]) == (True, 2)
    assert [step["status"] for step in found["steps"]] == ["proved"] * 6
    browser_s, ours = found["opens"]
    assert browser_s.keys() == ours.keys()
    assert {each["by"] for each in found["opens"]} == {"script thread"}


def check_that_the_log_of_an_earlier_start_is_kept(project: str, log: Path) -> None:
    first = log.read_bytes()[:2000]
    said("docker", "restart", f"{project}-streamlit-1")
    wait_until(lambda: [path for path in log.parent.glob("log_streamlit-*.txt") if path.read_bytes()[:2000] == first])


def leave_what_a_killed_bench_leaves(project: str, copy: Path) -> None:
    """A container of the benchmark's own project, which `down` takes away, too."""
    compose = ("docker", "compose", "-p", f"{project}-bench")
    said(*compose, "run", "-d", "--no-deps", "--name", f"{project}-bench-x", "loadgen", cwd=copy)


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


def test_a_taken_port_is_named_and_nothing_is_started(inside: Run, lab: Lab, project: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port(lab, "locust")))
        holder.listen()
        up = inside("up")
    assert up.returncode == 2
    assert f"port {port(lab, 'locust')} for locust is in use by" in up.stderr
    assert leftovers(project) == []


def test_a_service_that_does_not_come_up_is_named_with_its_last_words(iolab: Run, project: str, copy: Path) -> None:
    up = iolab("up", variables={"WAIT_MS": "forever"}, cwd=copy)
    assert up.returncode == 2
    assert "did not start" in up.stderr
    assert "WAIT_MS=forever: must be a number" in up.stderr
    assert leftovers(project) == []


@pytest.mark.parametrize("cpus", ["0", "-1", "4096", "one"])
def test_cpus_that_are_not_there_are_refused(inside: Run, project: str, cpus: str) -> None:
    done = inside("up", variables={"CPUS": cpus})
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert cpus in done.stderr


def test_without_an_engine_up_and_down_say_what_to_do(iolab: Run, tmp_path: Path) -> None:
    for command in ("up", "down"):
        done = iolab(command, variables={"DOCKER_HOST": f"unix://{tmp_path}/nowhere.sock"})
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("iolab: Docker's engine is not running: start it")
