"""Two settings measured in turn, as local processes: a run a round, an interruption, and the comparison."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from iolab.results.folder import RunFolder
from tests.conftest import Run, Start
from tests.integration.test_local import wait_for

SMALL = ("--runtime", "local", "--models", "C", "--concurrency", "2", "--requests", "60", "--rounds", "2")
AB = ("ab", *SMALL, "--a", "WAIT_MS=5", "--b", "WAIT_MS=20", "--repeats", "1")


def runs(results: Path) -> list[RunFolder]:
    return list(reversed(RunFolder.newest_first(results)))


def ratio(said: str) -> float:
    """Return the ratio of the medians in the table, 4 where servers wait exactly as long as they should."""
    (found,) = re.findall(r"median ms +[\d.]+ +[\d.]+ +([\d.]+) ", said)
    return float(found)


def waits(results: Path) -> list[float]:
    return [folder.read_run().experiment["server"]["wait_ms"] for folder in runs(results)]


@pytest.mark.usefixtures("undrawn")
def test_each_round_is_a_run_and_the_end_is_a_comparison(inside: Run, tmp_path: Path) -> None:
    done = inside(*AB)
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results"
    assert waits(results) == [5, 20, 20, 5]
    assert {folder.read_run().status for folder in runs(results)} == {"complete"}
    assert all((folder.path / "report.html").is_file() for folder in runs(results))
    assert "4 runs: about" in done.stdout
    assert "Run 3 of 4: round 2, B (WAIT_MS=20); about" in done.stdout
    assert "The runs differ in server wait_ms: 5 and 20." in done.stdout
    assert ratio(done.stdout) > 1.5
    assert "The smallest difference that could have been shown" in done.stdout
    assert "One run a side" not in done.stdout
    (page,) = (results / "compare").iterdir()
    assert f"Page: {page.as_uri()}" in done.stdout
    (file,) = (results / "ab").iterdir()
    assert [each["run"] for each in json.loads(file.read_text())["runs"]] == [each.path.name for each in runs(results)]
    again = inside("ab", "--resume", str(file))
    assert again.returncode == 0, again.stderr
    assert ratio(again.stdout) == ratio(done.stdout)
    assert len(runs(results)) == 4


@pytest.mark.load
def test_an_interrupted_series_keeps_what_it_has_and_goes_on(start: Start, inside: Run, tmp_path: Path) -> None:
    results = tmp_path / "results"
    process = start(*AB[:-1], "2")
    wait_for(lambda: len(runs(results)) == 3 and runs(results)[-1].has_trials(), process)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    (file,) = (results / "ab").iterdir()
    assert "2 of 4 runs are missing: make ab RESUME=" in said
    assert "median ms" in said  # what is complete is compared
    before = [folder.path for folder in runs(results)]
    assert [folder.read_run().status for folder in runs(results)] == ["complete", "complete", "partial"]
    done = inside("ab", "--resume", str(file))
    assert done.returncode == 0, done.stderr
    assert [folder.path for folder in runs(results)][:3] == before
    assert waits(results) == [5, 20, 20, 5]
    assert {folder.read_run().status for folder in runs(results)} == {"complete"}
    assert ratio(done.stdout) > 1.5
