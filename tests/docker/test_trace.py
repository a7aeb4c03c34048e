"""`iolab trace` on Docker: the standing app, the variants, the measured servers, and an engine that refuses strace."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from iolab.lab import Lab
from iolab.live import app
from iolab.live.standing import variables
from iolab.runtime import strace
from iolab.runtime.compose import Compose, Engine
from tests.conftest import ROOT, Run
from tests.docker.test_up import copy

pytestmark = pytest.mark.docker
__all__ = ["copy"]


def test_without_the_standing_app_a_click_starts_one_and_stops_it(iolab: Run, copy: Path, project: str) -> None:
    done = iolab("trace", "--runtime", "docker", "--click", "1", "--json", cwd=copy)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["clicks_visible"] == 1
    assert found["proved"] is True
    assert (copy / "results" / "trace" / "log_streamlit.txt").is_file()  # `make trace` reads it again


@pytest.mark.bounds
def test_three_loops_side_by_side(iolab: Run, copy: Path) -> None:
    done = iolab("trace-compare", "--runtime", "docker", "--clicks", "1", cwd=copy)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "Waits in epoll_wait epoll_wait epoll_pwait" in text
    assert "Loop asyncio asyncio uvloop" in text
    assert "Clicks 1 1 1" in text
    uvicorn, tornado, uvloop = (_facts(iolab, copy, loop) for loop in ("uvicorn", "tornado", "uvloop"))
    assert tornado["server"] == "tornado"
    assert uvicorn["waiting"]["by_timeout"] > 5 * (tornado["waiting"]["by_timeout"] + 1)
    assert uvloop["loop"] == "uvloop"
    assert all(each["clicks_visible"] == 1 for each in (uvicorn, tornado, uvloop))
    assert uvicorn["proved"] is True
    assert tornado["proved"] is True


def _facts(iolab: Run, copy: Path, loop: str) -> dict[str, Any]:
    log = copy / "results" / "trace" / f"log_streamlit-{loop}.txt"
    found: dict[str, Any] = json.loads(iolab("trace", str(log), "--json").stdout)
    return found


def test_a_measured_server_is_traced_from_outside_its_image(iolab: Run, tmp_path: Path) -> None:
    done = iolab("trace", "--runtime", "docker", "--service", "C", "--json")
    assert done.returncode == 0, done.stderr
    (costs,) = json.loads(done.stdout)
    assert costs["threads"] == 1
    assert costs["calls"]["accept4"] >= 16
    log = tmp_path / "results" / "trace" / "log_asyncio.txt"
    story = json.loads(iolab("trace", str(log), "--port", "8082", "--json").stdout)
    assert story["steps"][1]["status"] == "proved"  # it was there from the first call on
    assert len(story["accept_lines"]) == 17 - 1


def test_an_engine_that_refuses_strace_is_explained(tmp_path: Path, lab: Lab, engine: Engine, project: str) -> None:
    Compose(ROOT, project, variables(lab, engine, 1)).build([app.SERVICE])
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO"}]}
    rules = tmp_path / "noptrace.json"
    rules.write_text(json.dumps(profile))
    refused = subprocess.run(
        ["docker", "run", "--rm", f"--security-opt=seccomp={rules}", "iolab-streamlit-uvicorn", "strace", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0
    explained = strace.explain(refused.stderr)
    assert explained is not None
    assert "SYS_PTRACE" in explained
    assert "Operation not permitted" in explained
