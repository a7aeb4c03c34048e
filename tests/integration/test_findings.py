"""Findings provoked for real, on local processes; those that need a quota are in tests/docker."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from iolab import planning, session
from iolab.kind import Line
from iolab.kinds.closed import run as loop
from iolab.kinds.closed.cells import analyse
from iolab.kinds.closed.records import ClosedRecord
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Lab
from iolab.runtime import choice
from tests.conftest import ROOT, Run, Start, lab_with_a_fifth_model, python_path, undisturbed
from tests.fakes import Watcher
from tests.integration.test_local import wait_for_mid_trial
from tests.needs import CORES

pytestmark = pytest.mark.load
TWO_PIECES = """
import os, socket, threading, time

def serve(connection):
    lines = connection.makefile("rb")
    while line := lines.readline():
        waits = line == b"GET / HTTP/1.1\\r\\n"
        while lines.readline() not in (b"\\r\\n", b""):
            pass
        if waits:
            time.sleep(0.02)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\n")
        connection.sendall(b"ok\\n")  # Nagle's algorithm keeps it until the first piece is acknowledged

listener = socket.create_server((os.environ["HOST"], int(os.environ["PORT"])), backlog=128)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
BURN = "import os, sys, time\nos.sched_setaffinity(0, {int(sys.argv[1])})\nwhile time.monotonic() < float(sys.argv[2]): pass"
LIMIT_S = 60.0  # a burner ends by itself

needs_two_cores = pytest.mark.needs("cores")


@contextmanager
def burning(cores: Sequence[int], each: int = 1) -> Iterator[None]:
    """Compute on these cores for the length of the block."""
    until = str(time.monotonic() + LIMIT_S)
    burners = [subprocess.Popen([sys.executable, "-c", BURN, str(core), until]) for core in cores for _ in range(each)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def findings(results: Path) -> dict[str, str]:
    """Return all findings of the newest run, message by id."""
    summary = json.loads((results / "latest" / "summary.json").read_text())
    return {one["id"]: one["message"] for cell in summary["cells"] for one in cell["findings"]}


def trials(results: Path) -> int:
    """Return how many trials the newest run has on disk."""
    path = results / "latest" / "trials.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def bench(inside: Run, results: Path, arguments: str, cwd: Path = ROOT) -> dict[str, str]:
    """Return what a run finds, message by id."""
    done = inside("bench", "--runtime", "local", *arguments.split(), cwd=cwd)
    assert done.returncode == 0, done.stderr
    return findings(results)


CLEAN = "--models C --concurrency 4 --requests 60 --repeats 3"
SHORT = "--models C --concurrency 4 --requests 40 --repeats 1"  # for findings that no response time shows


@needs_two_cores
@pytest.mark.measures
def test_a_clean_run_shows_no_finding_of_these(inside: Run, results: Path) -> None:
    """Where time was stolen, or others computed, that is left aside, and what it causes."""
    found = bench(inside, results, CLEAN)
    assert undisturbed(found) == set()


@pytest.mark.bounds
def test_a_short_listen_queue_overflows_and_tcp_tries_again(inside: Run, results: Path) -> None:
    wanted = {"listen_overflow", "syn_retransmitted", "littles_law"}
    found = bench(inside, results, "--models A --concurrency 16 --requests 160 --repeats 1 --backlog 5")
    assert wanted <= set(found)
    assert "at the end" in found["littles_law"]
    (cell,) = json.loads((results / "latest" / "summary.json").read_text())["cells"]
    assert cell["client"]["timeouts"] >= cell["client"]["syn_retransmits"] > 0
    assert cell["server"]["syn_cookies"] is not None
    settings = json.loads((results / "latest" / "run.json").read_text())["environment"]["network settings"]
    assert (
        f"net.ipv4.tcp_syn_linear_timeouts = {settings['net.ipv4.tcp_syn_linear_timeouts']}"
        in found["syn_retransmitted"]
    )
    assert cell["backlog"] == 5
    assert cell["predicted_median_ms"] == 140


@needs_two_cores
@pytest.mark.measures
def test_a_heavy_load_generator_is_its_own_bottleneck(inside: Run, results: Path) -> None:
    found = bench(
        inside, results, "--models C --concurrency 64 --requests 3000 --repeats 1 --wait-ms 0.1 --loadgen locust"
    )
    # Its own CPU time is the reason where the core is its own; beside other work it is the rate that it reaches.
    assert re.search("of the time of (its|a) core|that it reaches against a null server", found["loadgen_bottleneck"])


@pytest.mark.bounds
def test_a_load_that_takes_too_long_is_stopped_and_what_it_sent_is_kept(
    lab: Lab, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LEAST_LIMIT_S", 1.0)
    monkeypatch.setattr(loop, "LIMIT_FACTOR", 0.01)
    changes = {"models": ["C"], "concurrency": [4], "repeats": 1, "load": {"requests": 2000}}
    planned = planning.plan(lab.root, lab.root / "experiments" / "bench.toml", changes, ClosedExperiment)
    place = choice.choose("local", planned.lab, planned.models, planned.experiment, say=lambda _: None)
    outcome = session.measure(planned, place, results, Watcher())
    (trial,) = outcome.folder.read_trials(ClosedRecord)
    assert 40 < trial.ok == trial.sent < 2000
    told = {one.id: one.message for one in analyse(outcome.folder).cells[0].cell.findings}
    assert f"{trial.sent} of 2000 requests were sent" in told["fewer_sent"]
    assert "was stopped after" in told["invalid_trial"]


@pytest.mark.measures
def test_an_answer_in_two_pieces_waits_for_a_delayed_acknowledgement(
    inside: Run, results: Path, tmp_path: Path
) -> None:
    found = bench(inside, results, f"{CLEAN} --models fifth", cwd=lab_with_a_fifth_model(tmp_path / "lab", TWO_PIECES))
    assert "TCP's delayed acknowledgement" in found["delayed_ack"]


SET_CLOCK = """
import os, time

real = time.time
time.time = lambda: real() + (3 if os.path.exists({path!r}) else 0)
"""


@pytest.mark.bounds
def test_a_wall_clock_that_is_set_is_noticed(start: Start, results: Path, tmp_path: Path) -> None:
    """The clock of this program alone is set: others on this machine need theirs."""
    is_set = tmp_path / "set"
    (tmp_path / "sitecustomize.py").write_text(SET_CLOCK.format(path=str(is_set)))
    process = start(
        "bench", "--runtime", "local", "--models", "C", "--concurrency", "1", "--requests", "200", "--repeats", "1",
        variables=python_path(tmp_path),
    )  # fmt: skip
    wait_for_mid_trial(process, 1)
    is_set.touch()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert "the wall clock was set by +3.0" in findings(results)["clock_step"]


def test_a_platform_that_cannot_keep_processes_on_cores_is_noticed(
    inside: Run, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS: Python has no call for it there."""
    monkeypatch.delattr(os, "sched_setaffinity")
    monkeypatch.delattr(os, "sched_getaffinity")
    found = bench(inside, results, SHORT)
    assert "cannot pin processes to cores" in found["not_pinned"]


def test_no_core_left_for_the_load_is_said(inside: Run, results: Path) -> None:
    found = bench(inside, results, f"{SHORT} --cpus {len(CORES)}")
    assert "left no core for the load generator" in found["shared_cores"]


@needs_two_cores
@pytest.mark.measures
def test_other_programs_are_noticed(inside: Run, results: Path) -> None:
    with burning(CORES):
        found = bench(inside, results, "--models C --concurrency 4 --requests 100 --repeats 1")
    assert "other programs or containers used" in found["busy_machine"]


@pytest.mark.bounds
def test_random_waits_make_repeats_disagree(inside: Run, results: Path) -> None:
    """Of 12 repeats, 0.4% of runs have one that lies so far from the others that it is named alone; of 8, 1.7%.

    The waits are long beside the moments for which other tests keep a core: those would make such a repeat, too.
    """
    wanted = {"repeats_disagree", "short_trial"}
    random = "--requests 8 --repeats 12 --wait-ms 50 --wait-distribution exponential"
    found = bench(inside, results, f"--models C --concurrency 4 {random}")
    assert wanted <= set(found)


class Disturber(Watcher):
    """Holds the server back again and again while one repeat runs: stopped for 60 ms, let go for 20."""

    def __init__(self, disturbed: int) -> None:
        super().__init__()
        self._disturbed = disturbed
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._disturb)

    def started(self, what: str, number: int, total: int) -> None:
        if number - 1 == self._disturbed:
            self._thread.start()

    def finished(self, line: Line, number: int) -> None:
        super().finished(line, number)
        if number - 1 == self._disturbed:
            self.end()

    def end(self) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join()

    def _disturb(self) -> None:
        while not self._over.wait(0.02):
            for server in servers():
                with suppress(psutil.Error):
                    server.suspend()
                    self._over.wait(0.06)
                    server.resume()


@pytest.mark.parametrize(("disturbed", "id_"), [(0, "first_run"), (2, "outlier_repeat")])
@pytest.mark.measures
def test_a_repeat_that_was_disturbed_is_named(lab: Lab, results: Path, disturbed: int, id_: str) -> None:
    changes = {"models": ["C"], "concurrency": [1], "repeats": 4, "load": {"requests": 20}}
    planned = planning.plan(lab.root, lab.root / "experiments" / "bench.toml", changes, ClosedExperiment)
    place = choice.choose("local", planned.lab, planned.models, planned.experiment, say=lambda _: None)
    disturber = Disturber(disturbed)
    try:
        outcome = session.measure(planned, place, results, disturber)
    finally:
        disturber.end()
    assert outcome.exit_status == 0
    found = {one.id: one.message for one in analyse(outcome.folder).cells[0].cell.findings}
    assert id_ in found
    assert ("the first repeat" if disturbed == 0 else f"repeat {disturbed + 1}") in found[id_]


def servers() -> list[psutil.Process]:
    """Return the processes of server C that this process has started."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if child.cmdline()[-1:] == ["server_asyncio.py"]:
                found.append(child)
    return found
