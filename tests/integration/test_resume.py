"""A run that was interrupted goes on where it stopped."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Run, Shared, Start
from tests.integration.test_local import wait_for

pytestmark = pytest.mark.load
SWEEP = (
    "bench", "--runtime", "local", "--models", "C", "--concurrency", "4", "--requests", "60", "--repeats", "4",
)  # fmt: skip
BUDGET_S = 6


def lines(run: Path) -> list[str]:
    path = run / "trials.jsonl"
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def interrupted(shared: Shared) -> Path:
    """A run of four trials that was interrupted after the second."""
    process = shared.start(*SWEEP)
    latest = shared.results / "latest"
    wait_for(lambda: len(lines(latest)) >= 2, process)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    return latest.resolve()


@pytest.fixture
def latest(interrupted: Path, tmp_path: Path) -> Path:
    """A copy of that run, for one test to go on with."""
    shutil.copytree(interrupted, tmp_path / "results" / interrupted.name)
    latest = tmp_path / "results" / "latest"
    latest.symlink_to(interrupted.name)
    return latest


def test_it_goes_on_and_keeps_what_it_had(inside: Run, latest: Path) -> None:
    before = lines(latest)
    folder = latest.resolve()
    with (folder / "trials.jsonl").open("a") as file:
        file.write('{"index": 3, "rep')  # as a crash leaves it
    done = inside("bench", "--runtime", "local", "--resume", str(latest))
    assert done.returncode == 0, done.stderr
    assert latest.resolve() == folder
    after = lines(folder)
    assert after[: len(before)] == before
    assert [json.loads(line)["index"] for line in after] == list(range(4))
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"
    again = inside("bench", "--runtime", "local", "--resume", str(latest))
    assert again.returncode == 2
    assert "is complete: there is nothing to resume" in again.stderr


def test_it_goes_on_with_nothing_else(inside: Run, latest: Path) -> None:
    done = inside("bench", "--runtime", "local", "--resume", str(latest), "--requests", "7")
    assert done.returncode == 2
    assert "leave out what would change it" in done.stderr
    path = latest.resolve() / "run.json"
    run = json.loads(path.read_text())
    path.write_text(json.dumps({**run, "generator": "locust" if run["generator"] == "hey" else "hey"}))
    refused = inside("bench", "--runtime", "local", "--resume", str(latest))
    assert refused.returncode == 2
    assert "this run cannot be resumed with another load generator" in refused.stderr


@pytest.mark.measures
def test_precision_and_budget_are_of_the_whole_run(inside: Run, start: Start, tmp_path: Path) -> None:
    """What was measured before the interruption counts: as a repeat, in the budget, and in what run.json says."""
    random = ("--wait-distribution", "exponential")  # a median of few requests is not known to 1%
    precise = (*random, "--requests", "40", "--repeats", "3", "--precision", "1%", "--budget", f"{BUDGET_S}s")
    process = start("bench", "--runtime", "local", "--models", "C", "--concurrency", "4", *precise)
    latest = tmp_path / "results" / "latest"
    wait_for(lambda: len(lines(latest)) >= 3, process)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    begun = time.monotonic()
    done = inside("bench", "--runtime", "local", "--resume", str(latest))
    assert done.returncode == 0, done.stderr
    run = json.loads((latest / "run.json").read_text())
    assert run["status"] == "complete"
    assert run["trials_planned"] == len(lines(latest)) > 3
    assert BUDGET_S < run["wall_s"] < BUDGET_S + 3
    assert time.monotonic() - begun < BUDGET_S + 3


def test_a_trial_that_failed_before_is_measured_again_and_its_line_stays(inside: Run, latest: Path) -> None:
    path = latest / "trials.jsonl"
    first, *others = (json.loads(line) for line in lines(latest))
    first.update(valid=False, reason="the server died")
    path.write_text("".join(json.dumps(one) + "\n" for one in (first, *others)))
    done = inside("bench", "--runtime", "local", "--resume", str(latest))
    assert done.returncode == 0, done.stderr
    assert json.loads((latest / "run.json").read_text())["status"] == "complete"
    after = [json.loads(line) for line in lines(latest)]
    assert after[0] == first
    assert sorted(one["index"] for one in after) == [0, *range(4)]
    again = next(one for one in after[1:] if one["index"] == 0)
    assert (again["valid"], again["rows"]) == (True, {"requests": "samples/0000-requests-2.csv.gz"})
    assert (latest / first["rows"]["requests"]).exists()
