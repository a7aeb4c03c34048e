"""`iolab queue` and `iolab slo` on local processes."""

import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from iolab.host import proc
from iolab.kinds import arrivals
from iolab.kinds.slo import steps
from iolab.loadgen import workers as crew
from tests.conftest import Run, Start, python_path
from tests.integration.test_findings import SET_CLOCK
from tests.integration.test_local import latest, wait_for
from tests.shortened import shortened

WARM_UP = 5  # requests before a plan
WAITS = 2  # of server A for each request: until it comes, and its I/O
SMALL = (
    "queue", "--runtime", "local", "--models", "A", "--utilisation", "0.5", "--duration", "2s", "--wait-ms", "10",
)  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def trials(results: Path) -> list[dict[str, Any]]:
    path = results / "latest" / "trials.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.load
@pytest.mark.measures
def test_a_queue_is_measured_beside_the_same_trace_and_theory(
    inside: Run, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "ONE_BY_ONE", 30)
    monkeypatch.setattr(arrivals, "A_WORKER", 30)
    short = shortened("queue", tmp_path, {"others_duration_s = 6.0": "others_duration_s = 1.0"})
    # Waits of 40 ms: what a shared machine adds to a request is a smaller part of them. In 6 s, the mean is longer at the
    # lower rate by chance in 3 of 1,000 runs.
    done = inside("queue", "--runtime", "local", "--models", "A,C", "--utilisation", "0.2,0.85", "--duration", "6s",
                 "--wait-ms", "40", "--wait-distribution", "exponential", "--experiment", str(short))  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    cells = latest(results, "summary.json")["cells"]
    assert [(cell["model"], cell["utilisation"]) for cell in cells] == [
        ("A", 0.2),
        ("A", 0.85),
        ("C", None),
        ("C", None),
    ]
    assert cells[0]["mean_ms"] < cells[1]["mean_ms"]
    for cell in cells:
        assert cell["mean_ms"] == pytest.approx(cell["same_trace"]["mean_ms"], rel=0.1)
        assert cell["late_p99_ms"] < 10
    assert cells[1]["m_d_c"]["mean_ms"] < cells[1]["m_m_c"]["mean_ms"]
    assert "Mean response times at the highest load: A " in " ".join(done.stdout.split())
    text = (results / "latest" / "report.md").read_text()
    assert re.search(r"Between [\d.]+/s and [\d.]+/s, the mean response time (grew by at most|did not grow)", text)
    again = inside("report", str(results / "latest"))
    assert again.returncode == 0, again.stderr
    assert "Same trace" in (results / "latest" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--utilisation", "1.2"), "UTILISATION=1.2: must be a share below 1"),
        (("--models", "C"), "no model of this run has a utilisation: add one of A, B"),
        (("--process", "trace"), "give the file, with TRACE="),
        (("--trace", "nowhere.txt"), "trace nowhere.txt: must be a file with a time"),
        (
            ("--experiment", "experiments/bench.toml"),
            "bench.toml is of kind closed: make bench EXPERIMENT=experiments/bench.toml",
        ),
        (("--duration", "soon"), "must be a time"),
        pytest.param(("--wait-ms", "0.1"), "the load generator sends", marks=pytest.mark.load),
    ],
)
def test_a_mistake_is_one_line(
    inside: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    """What needs a calibration to be known takes longer, and is among the long ones."""
    if "--wait-ms" in arguments:
        monkeypatch.setattr(crew, "MOST_RPS", 100.0)  # else it depends on the machine whether it is too much
    done = inside("queue", "--runtime", "local", "--models", "B", "--wait-ms", "5", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert words in done.stderr


def test_an_objective_that_is_none_is_one_line(inside: Run) -> None:
    done = inside("slo", "p99<fast", "--runtime", "local")
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


def waits(server: psutil.Process) -> int:
    """Return how often a process has waited for something; nobody else's connections count, as on its port."""
    return int(server.num_ctx_switches().voluntary)


def wait_for_the_first_plan(process: subprocess.Popen[str], results: Path, requests: int = 20) -> None:
    """Return when so many requests of the first plan are answered; the first server is for the calibration."""
    port = int(os.environ["BLOCKING_PORT"])
    calibrating, serving = list[psutil.Process](), list[psutil.Process]()

    def has_begun(of: list[psutil.Process]) -> bool:
        of.extend(one for one in servers(process) if one not in calibrating)
        return bool(of)

    wait_for(lambda: has_begun(calibrating), process)
    wait_for(lambda: has_begun(serving), process)
    wait_for(lambda: proc.listens(proc.tables(), port), process)
    began = waits(serving[0])
    wait_for(lambda: waits(serving[0]) >= began + WAITS * (WARM_UP + requests), process)
    assert not trials(results)


@pytest.mark.load
def test_a_server_that_dies_spoils_its_plans_and_what_came_is_kept(start: Start, results: Path) -> None:
    process = start(*SMALL, "--duration", "3s")
    wait_for_the_first_plan(process, results)
    servers(process)[0].kill()
    stdout, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    first, second = trials(results)
    assert not first["valid"]
    assert "the server ended with status -9" in first["reason"] or "got no answer 200" in first["reason"]
    assert first["ok"] > 0
    assert first["rows"]
    assert second["valid"]  # the other service distribution has a server of its own
    assert "Trust: poor." in stdout


@pytest.mark.load
def test_an_interruption_keeps_what_was_measured_and_leaves_no_process(
    start: Start, inside: Run, results: Path
) -> None:
    process = start(*SMALL)
    wait_for(lambda: len(trials(results)) == 1, process)
    known = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert latest(results, "run.json")["status"] == "partial"
    assert not [each for each in known if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert "This run was interrupted: it has 1 of 2 trials." in (results / "latest" / "report.html").read_text()
    (first,) = trials(results)
    done = inside("queue", "--runtime", "local", "--resume", str(results / "latest"))
    assert done.returncode == 0, done.stderr
    again, second = trials(results)
    assert again == first
    assert second["calibration"] == first["calibration"]
    assert latest(results, "run.json")["status"] == "complete"


@pytest.mark.load
def test_a_clock_that_is_set_is_said_and_enters_no_latency(start: Start, results: Path, tmp_path: Path) -> None:
    is_set = tmp_path / "set"
    (tmp_path / "sitecustomize.py").write_text(SET_CLOCK.format(path=str(is_set)))
    process = start(*SMALL, "--duration", "3s", "--wait-distribution", "constant", variables=python_path(tmp_path))
    wait_for_the_first_plan(process, results)
    is_set.touch()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    (cell,) = latest(results, "summary.json")["cells"]
    assert "the wall clock was set by +3.0" in {one["id"]: one["message"] for one in cell["findings"]}["clock_step"]
    assert 0 < cell["mean_ms"] < 1000


@pytest.mark.load
@pytest.mark.measures
def test_an_objective_finds_a_bracket_between_none_and_all(
    inside: Run, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A median needs few requests; the true rate is about 100 a second.

    The limit is little more than the response time without a queue, so rates with short queues can be decided, too. In a
    short queue, requests depend less on each other, and those of a few seconds are enough. Yet 2 ms are left for what a
    request takes beside its wait: it took 0.5 to 1.4 ms on one machine, in one hour and another.
    Beside a busy program no trial would decide: tests of plans show that. Here the search must find its bracket.
    """
    monkeypatch.setattr(steps, "MACHINE", ())
    monkeypatch.setattr(steps, "CLIENT", ())
    changes = {"least_s = 2.0": "least_s = 1.0", "within = 0.5": "within = 0.9"}
    path = shortened("slo", tmp_path, changes)
    short = ("--experiment", str(path), "--quick", "--wait-ms", "5")
    done = inside("slo", "p50<7ms", "--runtime", "local", "--models", "A", *short)
    assert done.returncode == 0, done.stderr
    (folder,) = results.glob("*-slo")
    (found,) = json.loads((folder / "summary.json").read_text())["cells"]
    assert found["holds_rps"] is not None, done.stdout
    assert found["fails_rps"] is not None, done.stdout
    assert 19 < found["holds_rps"] < 124
    assert 75 < found["fails_rps"] < 189
    assert found["holds_rps"] < found["fails_rps"]
    assert "A meets p50<7ms at" in " ".join(done.stdout.split())
