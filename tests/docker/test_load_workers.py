"""Load workers in containers: for a plan, and for a master whose machine is another one."""

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser

from iolab.lab import Lab
from tests.conftest import Run, Start
from tests.docker.conftest import leftovers
from tests.docker.test_up import copy, port
from tests.integration.test_local import latest, wait_for
from tests.waiting import wait_until

pytestmark = pytest.mark.docker
__all__ = ["copy"]


@pytest.fixture
def address() -> str:
    """This machine's own address on Docker's bridge, which containers reach."""
    known = psutil.net_if_addrs()
    return next(one.address for one in known["docker0"] if one.family == socket.AF_INET)


@pytest.mark.measures
def test_three_workers_make_one_plan_together(iolab: Run, project: str, tmp_path: Path) -> None:
    done = iolab("queue", "--runtime", "docker", "--models", "A", "--utilisation", "0.3", "--duration", "6s",
                 "--wait-distribution", "constant", "--workers", "3")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (cell,) = latest(tmp_path / "results", "summary.json")["cells"]
    (trial,) = (tmp_path / "results" / "latest" / "trials.jsonl").read_text().splitlines()
    assert json.loads(trial)["load_workers"] == 3
    assert cell["mean_ms"] == pytest.approx(cell["same_trace"]["mean_ms"], rel=0.15)
    assert leftovers(f"{project}-bench") == []


@pytest.mark.needs("bridge")
def test_a_plan_waits_for_workers_of_other_machines(
    start: Start, lab: Lab, project: str, address: str, tmp_path: Path
) -> None:
    """Master, server and worker reach each other by an address of this machine alone."""
    master = start("queue", "--runtime", "docker", "--models", "A", "--utilisation", "0.3", "--duration", "3s",
                   "--wait-distribution", "constant", "--join", "1", "--bind", address)  # fmt: skip
    tried: list[Any] = []

    def is_over() -> bool:
        """Start a worker again and again until there is a master; then it stays to the end."""
        if not tried or tried[-1].poll() == 2:
            tried.append(start("worker", address, "--runtime", "docker"))
        return master.poll() is not None

    wait_until(is_over, limit_s=200, every_s=0.2)
    worker = tried[-1]
    stdout, stderr = master.communicate()
    assert master.returncode == 0, stdout + stderr
    assert worker.wait(60) == 0
    (cell,) = latest(tmp_path / "results", "summary.json")["cells"]
    assert cell["ok"] == cell["count"] > 10
    assert leftovers(f"{project}-bench") == leftovers(f"{project}-worker") == []


@pytest.mark.needs("bridge")
def test_a_worker_joins_the_page_of_another_machine(
    start: Start, iolab: Run, lab: Lab, copy: Path, *, address: str, browser: Browser
) -> None:
    page = f"http://{address}:{port(lab, 'locust')}"
    try:
        up = iolab("up", variables={"BIND": address, "LOADS": "all"}, cwd=copy)
        assert up.returncode == 0, up.stderr
        worker = start("worker", address, "--workers", "2", "--runtime", "docker")
        wait_for(lambda: workers(page) == 3, worker)
        charts_an_open_loop(browser, page)
    finally:
        down = iolab("down", cwd=copy)
    assert down.returncode == 0, down.stderr
    assert worker.wait(60) == 0  # sent home


def stats(page: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{page}/stats/requests", timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def workers(page: str) -> int:
    return sum(one["state"] == "ready" for one in stats(page)["workers"])


def charts_an_open_loop(browser: Browser, address: str) -> None:
    """Start three streams of 20 arrivals a second at one server, as a visitor would, and look at the chart."""
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("button", name="Start").wait_for(timeout=120_000)
    page.locator("input[type=checkbox]").first.uncheck()
    row = page.get_by_role("row").filter(has=page.get_by_text("CAsyncioOpen", exact=True))
    row.locator("input[type=checkbox]").check()
    page.locator("input[name=userCount]").fill("3")
    page.get_by_text("Custom parameters").click()
    page.locator("input[name=rate]").fill("20")
    page.get_by_role("button", name="Start").click()
    wait_until(lambda: 40 < stats(address)["total_rps"] < 80, limit_s=60, every_s=0.5)
    found = stats(address)
    assert {one["name"] for one in found["stats"]} == {"CAsyncioOpen", "Aggregated"}
    assert found["total_fail_per_sec"] == 0
    page.reload()  # Locust's page does not always notice by itself that the load runs; one that is opened then shows it
    page.get_by_role("tab", name="Charts").click()
    page.locator("canvas").first.wait_for(timeout=20_000)
    page.get_by_role("button", name="Stop").first.click()
    page.close()
