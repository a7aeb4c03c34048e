"""The sum of a tier says what its groups said, and fails where one of them did."""

import signal
from typing import Any

import pytest

from tests import tiers

FINE = {"passed": 3, "failed": 0, "skipped": 1, "tried again": 2}


class Told(tiers.Pytest):
    """Answers what it is told to, and is ended by a signal during the first run if that is said."""

    def __init__(self, *answers: tuple[int, dict[str, Any]], ended_by: int | None = None) -> None:
        super().__init__()
        self._answers, self._ends = list(answers), ended_by

    def run(self, arguments: list[str]) -> tuple[int, dict[str, Any]]:
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


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_no_group_begins_after_a_signal(signum: int, status: int) -> None:
    assert tiers.main("all", Told((2, {}), ended_by=signum)) == status


def test_a_tier_without_a_test_has_not_passed() -> None:
    assert tiers.main("load", Told(*[(5, {"counts": {}, "again": []})] * 2)) == 1
