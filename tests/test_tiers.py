"""The sum of a tier says what its groups said, and fails where one of them did."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import tiers, times
from tests.conftest import ROOT, Run

FINE = {"passed": 3, "failed": 0, "skipped": 1, "tried again": 2}


class Told(tiers.Pytest):
    """Answers what it is told to, and is ended by a signal during the first run if that is said."""

    def __init__(self, *answers: tuple[int, dict[str, Any]], ended_by: int | None = None) -> None:
        super().__init__()
        self._answers, self._ends = list(answers), ended_by

    def run(self, arguments: list[str], variables: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        self.ended_by = self._ends
        return self._answers.pop(0)


def test_the_last_lines_count_the_tests_and_name_what_was_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    again = ["tests/test_a.py::test_shape"]
    assert tiers.main("docker", Told((0, {"counts": FINE, "again": again}), (0, {"counts": FINE, "again": []}))) == 0
    *_, line, name, last = capsys.readouterr().out.splitlines()
    assert (line, name, last) == (
        "Tried again: 1 test:", "  tests/test_a.py::test_shape", "6 passed, 0 failed, 2 skipped",
    )  # fmt: skip


def test_the_fast_tier_says_how_to_run_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert tiers.main("fast", Told(*[(0, {"counts": FINE, "again": []})] * 2)) == 0
    said = capsys.readouterr().out
    assert "make test-docker" in said
    assert "make test-load" in said


def test_tests_have_the_variables_of_their_tier(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import os\n\ndef test_it(): assert os.environ['OF_A_TIER'] == '1'\n")
    arguments = ["-q", "--rootdir", str(tmp_path), "-c", os.devnull, str(tmp_path)]
    assert tiers.Pytest().run(arguments, {"OF_A_TIER": "1"}) == (0, {})


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("def test_a(): ...", {"fast, parallel"}),
        ("@pytest.mark.alone\ndef test_a(): ...", {"fast, parallel", "fast, alone"}),
        ("pytestmark = [pytest.mark.docker]", {"fast, parallel", "docker, parallel"}),
        ("def test_a(browser): ...", {"fast, parallel", "load, parallel"}),
        (
            "mark.load mark.measures",
            {"fast, parallel", "fast, alone", "load, parallel", "load, alone"},
        ),
    ],
)
def test_a_group_reads_the_files_that_may_have_tests_of_it(text: str, groups: set[str]) -> None:
    every = {name: arguments[-1] for tier in tiers.TIERS for name, arguments in tiers.groups(tier).items()}
    assert {name for name, selected in every.items() if tiers.may_have(text, selected)} == groups
    assert tiers.may_have(text, "")
    assert tiers.may_have(text, "needs")


def test_a_test_whose_group_its_file_does_not_name_is_refused(tmp_path: Path) -> None:
    """It would not be found there. A mark that comes from elsewhere is such a case."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "elsewhere.py").write_text("import pytest\nslow = pytest.mark.load\n")
    (tmp_path / "test_it.py").write_text("from elsewhere import slow\n@slow\ndef test_a(): ...\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), "-c", str(ROOT / "pyproject.toml"), str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "test_a has the mark load, and its file does not say so" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ((1, {"counts": {**FINE, "failed": 1}, "again": []}), 1),
        ((2, {"counts": {**FINE, "failed": 1}, "again": []}), 1),  # a test file that cannot be read
        ((3, {}), 1),  # pytest itself broke
        ((0, {}), 1),  # nothing was counted
        ((5, {"counts": {}, "again": []}), 0),  # the group has no test, the other one has
    ],
)
def test_a_group_that_fails_fails_the_tier(first: tuple[int, dict[str, Any]], status: int) -> None:
    assert tiers.main("load", Told(first, (0, {"counts": FINE, "again": []}))) == status


def test_where_the_time_goes_is_a_table_of_files_and_one_of_fixtures(capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "tests/test_a.py": {"tests": 2, "setup": 0.5, "call": 1.5, "teardown": 0.25},
        "tests/test_b.py": {"tests": 1, "setup": 0.25, "call": 9.0, "teardown": 0.0},
        "tests/test_c.py": {"tests": 4, "setup": 0.0, "call": 0.5, "teardown": 0.0},
    }
    found = {"counts": FINE, "again": [], "times": {"files": files, "fixtures": {"lab": {"uses": 3, "seconds": 1.25}}}}
    assert tiers.main("docker", Told((0, found), (0, {"counts": FINE, "again": []})), tiers.TIMES) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert rows == [
        "| file | tests | setup | call | teardown |",
        "| tests/test_b.py | 1 | 0.2 s | 9.0 s | 0.0 s |",
        "| tests/test_a.py | 2 | 0.5 s | 1.5 s | 0.2 s |",
        "| less than 1 s each: 1 files | 4 | 0.0 s | 0.5 s | 0.0 s |",
        "| together: 3 files | 7 | 0.8 s | 11.0 s | 0.2 s |",
        "| fixture | uses | setup |",
        "| lab | 3 | 1.2 s |",
        "| less than 1 s each: 0 fixtures | 0 | 0.0 s |",
        "| together: 1 fixtures | 3 | 1.2 s |",
    ]


def test_a_fixture_is_timed_without_those_that_it_takes(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import time, pytest\n"
        "@pytest.fixture\ndef inner(): time.sleep(0.2)\n"
        "@pytest.fixture\ndef outer(inner): pass\n"
        "def test_it(outer): pass\n"
    )
    environment = {**os.environ, times.VARIABLE: str(tmp_path / "times.json"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", times.__name__, "-n", "1", "-q", "--rootdir", ".", "test_it.py"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    found = json.loads((tmp_path / "times.json").read_text())
    assert found["files"]["test_it.py"]["tests"] == 1
    assert found["files"]["test_it.py"]["setup"] > 0.2
    assert found["fixtures"]["inner"]["seconds"] > 0.2 > found["fixtures"]["outer"]["seconds"]


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_no_group_begins_after_a_signal(signum: int, status: int) -> None:
    assert tiers.main("all", Told((2, {}), ended_by=signum)) == status


def test_ctrl_c_during_a_command_in_the_process_of_a_test_ends_the_tests(
    inside: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iolab.cli.main.run", lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        inside("status")


def test_a_tier_without_a_test_has_not_passed() -> None:
    assert tiers.main("load", Told(*[(5, {"counts": {}, "again": []})] * 2)) == 1
