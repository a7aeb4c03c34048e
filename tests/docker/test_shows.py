"""The experiments with a page of their own, on a real engine: chess, freeze and break, short."""

import json
from pathlib import Path

import pytest

from tests.conftest import Run, copied_lab
from tests.shortened import shortened

pytestmark = pytest.mark.docker


@pytest.mark.measures
def test_chess_in_containers(iolab: Run, tmp_path: Path) -> None:
    done = iolab("chess", "--runtime", "docker", "--models", "A,C", "--boards", "5", "--moves", "4", "--scale-ms", "2")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").glob("*-chess")
    blocking, loop = json.loads((folder / "summary.json").read_text())["cells"]
    assert blocking["took_s"] > 2 * loop["took_s"]
    assert loop["server"]["threads_peak"] == 1
    assert "<svg" in (folder / "report.html").read_text()


@pytest.mark.measures
def test_freeze_in_containers(iolab: Run, tmp_path: Path) -> None:
    done = iolab("freeze", "--runtime", "docker", "--quick")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").glob("*-freeze")
    closed, planned = json.loads((folder / "summary.json").read_text())["cells"]
    assert 0 < closed["later_than_100_ms"] < planned["later_than_100_ms"]
    assert closed["slowest"] > 0.5


@pytest.mark.measures
def test_break_in_containers(iolab: Run, tmp_path: Path) -> None:
    copy = copied_lab(tmp_path / "lab")
    text = shortened("break", copy / "experiments", {"seconds = 3.0": "seconds = 1.5"}).read_text()
    first, *strategies = text.split("[[broken.strategies]]")
    wanted = [each for each in strategies if 'place = "await"' in each or 'place = "loop"' in each]
    (copy / "experiments" / "break.toml").write_text("[[broken.strategies]]".join([first, *wanted]))
    done = iolab("break", "--runtime", "docker", "--users", "8", cwd=copy)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").glob("*-break")
    found = json.loads((folder / "summary.json").read_text())["cells"]
    healthy, blocked = found[:2]
    assert healthy["throughput_rps"] > 3 * blocked["throughput_rps"]
    assert blocked["bystander_median_ms"] > 5 * healthy["bystander_median_ms"]
    waiting, _ = (each["culprit"] for each in found if each["culprit"])
    assert waiting["coroutine"]["what"] == "answer()"
    assert waiting["line"]["what"] == "time.sleep(WAIT_S)"


def test_the_broken_server_is_traced_from_outside(iolab: Run) -> None:
    done = iolab("trace", "--runtime", "docker", "--service", "broken", "--json")
    assert done.returncode == 0, done.stderr
    (costs,) = json.loads(done.stdout)
    assert costs["threads"] == 1
    assert costs["longest_turn"]["blocker"] == "clock_nanosleep"
    assert costs["longest_turn"]["seconds"] > 0.1
