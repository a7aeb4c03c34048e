"""`iolab queue` with several load workers, as local processes: one is lost, the master is lost, a server answers 500."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from iolab.loadgen import workers
from tests.conftest import Run, Start, lab_with_a_fifth_model
from tests.integration.test_local import latest, wait_for
from tests.integration.test_queue import servers, trials, wait_for_the_first_plan

HALF_AS_LONG = ("--wait-ms", "10")  # twice as many come in a second, and a calibration takes half the time
PLANS = (
    "queue", "--runtime", "local", "--models", "A", "--utilisation", "0.3,0.5", "--wait-distribution", "constant",
    *HALF_AS_LONG,
)  # fmt: skip
ANSWERS_500 = """
import itertools, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

asked = itertools.count()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = 200 if self.path == "/healthz" or next(asked) < 70 else 500
        self.send_response(status)
        self.send_header("Server-Timing", "service;dur=0.1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def below(process: Any, is_it: Callable[[list[str]], bool]) -> list[psutil.Process]:
    """Return the processes that `iolab` has started whose command line is like that."""
    found = []
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if is_it(child.cmdline()):
                    found.append(child)
    return found


@pytest.mark.load
def test_a_lost_worker_spoils_its_plan_whose_rows_are_kept_and_the_others_go_on(start: Start, results: Path) -> None:
    process = start(*PLANS, "--duration", "3s", "--workers", "3")
    wait_for(lambda: servers(process), process)
    (calibrating,) = servers(process)
    wait_for(lambda: len(below(process, lambda words: "arrivals_client.py" in " ".join(words))) == 3, process)
    assert calibrating.is_running()  # all are ready before the first plan
    wait_for_the_first_plan(process, results)
    below(process, lambda words: "--worker" in words)[0].kill()
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, stderr
    first, second = trials(results)
    assert (first["valid"], first["load_workers"], first["lost_workers"]) == (False, 3, 1)
    assert (second["valid"], second["load_workers"], second["lost_workers"]) == (True, 2, 0)
    assert first["ok"] > 20
    assert latest(results, "run.json")["status"] == "failed"
    found = [one for cell in latest(results, "summary.json")["cells"] for one in cell["findings"]]
    (lost,) = [one["message"] for one in found if one["id"] == "worker_lost"]
    assert "was lost: its last rows arrived" in lost
    assert "2 of 3 went on" in lost
    assert "was lost: its last rows arrived" in " ".join(stdout.split())


@pytest.mark.load
@pytest.mark.parametrize("workers", [0, 2])
def test_a_client_that_is_killed_spoils_its_plan_and_the_next_plan_has_a_new_one(
    start: Start, results: Path, workers: int
) -> None:
    process = start(*PLANS, "--duration", "3s", "--workers", str(workers))
    wait_for_the_first_plan(process, results)
    below(process, lambda words: "arrivals_client.py" in " ".join(words))[0].kill()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, stderr
    first, second = trials(results)
    assert (first["valid"], first["lost_workers"]) == (False, min(1, workers))
    assert "the client ended with status -9" in first["reason"]
    assert first["ok"] > 10
    assert (second["valid"], second["load_workers"], second["lost_workers"]) == (True, workers, 0)
    assert second["client"]["busiest_share"] < 1
    assert second["client"]["loop_late_p99_ms"] > 0


@pytest.mark.load
def test_rows_stay_when_the_master_is_lost_and_no_process_does(start: Start, results: Path) -> None:
    process = start(*PLANS, "--duration", "3s", "--workers", "2")
    wait_for(lambda: below(process, lambda words: "--worker" in words), process)
    wait_for_the_first_plan(process, results)
    below(process, lambda words: "locust_driver.py" in " ".join(words))[0].kill()
    known = psutil.Process(process.pid).children(recursive=True)
    process.communicate(timeout=120)
    assert process.returncode == 1
    first, second = trials(results)
    assert not first["valid"]
    assert not second["valid"]
    assert "the load driver has ended" in first["reason"]
    assert first["ok"] > 10
    assert first["rows"]
    assert not [each for each in known if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.load
def test_answers_500_are_kept_and_said(inside: Run, results: Path, tmp_path: Path) -> None:
    folder = lab_with_a_fifth_model(tmp_path / "lab", ANSWERS_500)
    # 6 s of the experiment's own: beside other work the calibrated rate is low, and 70 requests are answered with 200.
    plans = ("--utilisation", "0.4", "--wait-distribution", "constant", "--duration", "2s", *HALF_AS_LONG)
    done = inside("queue", "--runtime", "local", "--models", "A,fifth", *plans, cwd=folder)
    assert done.returncode == 1, done.stderr
    cells = [cell for cell in latest(results, "summary.json")["cells"] if cell["model"] == "Z"]
    assert cells
    assert all(cell["errors"] > 0 for cell in cells)
    found = {one["id"] for cell in cells for one in cell["findings"]}
    assert found & {"failed_requests", "invalid_trial"}
    statuses = {json.loads(line)["valid"] for line in (results / "latest" / "trials.jsonl").read_text().splitlines()}
    assert statuses == {True, False}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--join", "2"), "JOIN=2: other machines need this machine's address: give it, as in BIND=192.168.1.10"),
        (("--join", "2", "--bind", "0.0.0.0"), "and BIND=0.0.0.0 is not such an address"),
        (("--workers", "-1"), "WORKERS=-1: input should be greater than or equal to 0"),
        pytest.param(
            ("--wait-ms", "0.1", "--models", "B", "--workers", "2"),
            "or more load workers: on cores of their own (WORKERS)",
            marks=pytest.mark.load,
        ),
    ],
)
def test_a_mistake_is_one_line(
    inside: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    if "--wait-ms" in arguments:
        monkeypatch.setattr(workers, "MOST_RPS", 100.0)  # else it depends on the machine whether it is too much
    done = inside("queue", "--runtime", "local", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert words in done.stderr


def test_a_worker_without_a_master_says_what_to_do(inside: Run) -> None:
    done = inside("worker")
    assert (done.returncode, done.stderr) == (
        2,
        "iolab: MASTER: give the address of the other machine: make worker MASTER=192.168.1.10\n",
    )
    done = inside("worker", "127.0.0.1", "--master-port", "9", "--runtime", "local")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "MASTER=127.0.0.1: nothing listens on port 9 (Connection refused): start make up" in done.stderr
