"""`iolab queue` and `iolab slo` on local processes."""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import Run, Start
from tests.integration.test_findings import SET_CLOCK
from tests.integration.test_local import latest, wait_for

SMALL = ("queue", "--runtime", "local", "--models", "A", "--utilisation", "0.5", "--duration", "3s")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def trials(results: Path) -> list[dict[str, Any]]:
    path = results / "latest" / "trials.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.measures
def test_a_queue_is_measured_beside_the_same_trace_and_theory(iolab: Run, results: Path) -> None:
    done = iolab("queue", "--runtime", "local", "--models", "A,C", "--utilisation", "0.3,0.7", "--duration", "6s",
                 "--wait-distribution", "exponential")  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    cells = latest(results, "summary.json")["cells"]
    assert [(cell["model"], cell["utilisation"]) for cell in cells] == [
        ("A", 0.3),
        ("A", 0.7),
        ("C", None),
        ("C", None),
    ]
    assert cells[0]["mean_ms"] < cells[1]["mean_ms"]
    for cell in cells:
        assert cell["mean_ms"] == pytest.approx(cell["same_trace"]["mean_ms"], rel=0.1)
        assert cell["late_p99_ms"] < 10
    assert cells[1]["m_d_c"]["mean_ms"] < cells[1]["m_m_c"]["mean_ms"]
    assert "no queue, whatever comes" in done.stdout
    again = iolab("report", str(results / "latest"))
    assert again.returncode == 0, again.stderr
    assert "Same trace" in (results / "latest" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--utilisation", "1.2"), "shares below 1"),
        (("--models", "C"), "no model of this run has a utilisation: take A, B"),
        (("--process", "trace"), "say which file, with TRACE="),
        (("--trace", "nowhere.txt"), "trace nowhere.txt: must be a file with a moment"),
        (("--experiment", "experiments/bench.toml"), "experiment bench has no [arrivals]"),
        (("--duration", "soon"), "must be a time"),
        (("--wait-ms", "0.1"), "the load generator sends"),
    ],
)
def test_a_mistake_is_one_line(iolab: Run, arguments: tuple[str, ...], words: str) -> None:
    defaults = () if "--models" in arguments else ("--models", "B")
    done = iolab("queue", "--runtime", "local", *defaults, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert words in done.stderr


def test_an_objective_that_is_none_is_one_line(iolab: Run) -> None:
    done = iolab("slo", "p99<fast", "--runtime", "local")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "must be such as p99<100ms" in done.stderr


def servers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    found = []
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if child.cmdline()[-1:] == ["server.py"]:
                    found.append(child)
    return found


def test_a_server_that_dies_spoils_its_plans_and_what_came_is_kept(start: Start, results: Path) -> None:
    process = start(*SMALL, "--duration", "4s")
    wait_for((results / "latest" / "run.json").exists, process)
    calibrated: set[int] = set()
    deadline = time.monotonic() + 60
    while not trials(results) and time.monotonic() < deadline:
        # The first server is for the calibration; the second one dies in the middle of its plan.
        for server in servers(process):
            calibrated.add(server.pid)
            if len(calibrated) == 2 and time.time() - server.create_time() > 2.5:
                server.kill()
        time.sleep(0.05)
    stdout, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    first, second = trials(results)
    assert not first["valid"]
    assert "the server ended with status -9" in first["reason"] or "got no answer 200" in first["reason"]
    assert first["ok"] > 0
    assert first["samples"]
    assert second["valid"]  # the other service distribution has a server of its own
    assert "error" in stdout


def test_an_interruption_keeps_what_was_measured_and_leaves_no_process(start: Start, results: Path) -> None:
    process = start(*SMALL)
    wait_for(lambda: len(trials(results)) == 1, process)
    known = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert latest(results, "run.json")["status"] == "partial"
    assert not [each for each in known if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_a_clock_that_is_set_is_said_and_enters_no_latency(start: Start, results: Path, tmp_path: Path) -> None:
    is_set = tmp_path / "set"
    (tmp_path / "sitecustomize.py").write_text(SET_CLOCK.format(path=str(is_set)))
    process = start(
        *SMALL, "--duration", "5s", "--wait-distribution", "constant", variables={"PYTHONPATH": str(tmp_path)}
    )
    known: set[int] = set()

    def is_under_way() -> bool:
        """The first server is for the calibration."""
        mine = servers(process)
        known.update(one.pid for one in mine)
        return len(known) == 2 and any(time.time() - one.create_time() > 2 for one in mine)

    wait_for(is_under_way, process)
    is_set.touch()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    (cell,) = latest(results, "summary.json")["cells"]
    assert "the wall clock was set by +3.0" in {one["id"]: one["message"] for one in cell["findings"]}["clock_step"]
    assert 0 < cell["mean_ms"] < 1000


@pytest.mark.measures
def test_an_objective_finds_a_rate_between_none_and_all(iolab: Run, results: Path) -> None:
    done = iolab("slo", "mean<60ms", "--runtime", "local", "--models", "A")
    assert done.returncode == 0, done.stderr
    (folder,) = results.glob("*-slo")
    (found,) = json.loads((folder / "slo.json").read_text())["models"]
    assert 5 < found["highest_rps"] < found["broken_rps"] < 50
    assert "A meets mean<60ms up to" in done.stdout
