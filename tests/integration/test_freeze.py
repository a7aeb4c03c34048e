"""A server that really stands still, as a local process."""

import json
from pathlib import Path

import pytest

from tests.conftest import Run, copied_lab
from tests.shortened import shortened

A_THIRD = {"after_s = 4.0": "after_s = 1.0", "for_s = 2.0": "for_s = 1.0", "run_s = 10.0": "run_s = 3.0"}


@pytest.mark.load
@pytest.mark.measures
def test_the_closed_loop_hardly_sees_what_planned_requests_wait_for(inside: Run, tmp_path: Path) -> None:
    """The lab's experiment, shorter: the server stands still for a third of it."""
    copy = copied_lab(tmp_path / "lab")
    shortened("freeze", copy / "experiments", A_THIRD)
    done = inside("freeze", "--runtime", "local", cwd=copy)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").glob("*-freeze")
    closed, planned = json.loads((folder / "summary.json").read_text())["cells"]
    assert (closed["name"], planned["name"]) == ("closed loop", "planned")
    assert closed["slowest"] > 750
    assert planned["slowest"] > 750
    assert closed["later_than_100_ms"] < 0.05
    assert 0.1 < planned["later_than_100_ms"] < 0.5  # the server stood still for a third of the time
    assert planned["p95"] > 5 * closed["p95"]
    for line in (folder / "trials.jsonl").read_text().splitlines():
        assert (folder / json.loads(line)["rows"]["requests"]).is_file()
    for page in ("report.html", "report.md"):
        assert "coordinated omission" in (folder / page).read_text()
    assert (tmp_path / "results" / "latest").resolve() == folder  # `make report` makes its report
    again = {name: (folder / name).read_bytes() for name in ("summary.json", "report.md", "report.html")}
    assert inside("report", cwd=copy).returncode == 0
    assert {name: (folder / name).read_bytes() for name in again} == again


def test_a_mistake_is_one_line(inside: Run) -> None:
    done = inside("freeze", "--models", "all", "--runtime", "local")
    assert done.returncode == 2
    assert "one server at a time" in done.stderr
    assert done.stderr.count("\n") == 1
