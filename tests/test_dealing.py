"""Parallel processes run every test once, and begin with those that wait."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.dealing import WAITING, dealt


@dataclass(frozen=True)
class Named:
    path: Path
    number: int


def of(name: str, count: int) -> list[Named]:
    return [Named(Path("tests") / name, number) for number in range(count)]


ALL = [
    *of("contract/test_a.py", 4),
    *of("integration/test_long.py", 9),
    *of("kinds/test_pure.py", 40),
    *of("live/test_b.py", 5),
    *of("theory/test_more.py", 30),
    *of("theory/test_most.py", 23),
]


@pytest.mark.parametrize("processes", [1, 2, 3, 6])
def test_each_test_is_dealt_once_and_files_stay_together(processes: int) -> None:
    found = dealt(ALL, processes)
    assert sorted(found, key=str) == sorted(ALL, key=str)
    switches = [one.path for one, other in pairwise(found) if one.path != other.path]
    assert len(switches) == 5


def test_each_part_begins_with_tests_that_wait() -> None:
    found = [test.path.as_posix() for test in dealt(ALL, 3)]
    names = [name for before, name in zip(["", *found], found, strict=False) if name != before]
    assert names == [
        "tests/integration/test_long.py", "tests/theory/test_most.py",
        "tests/contract/test_a.py", "tests/kinds/test_pure.py",
        "tests/live/test_b.py", "tests/theory/test_more.py",
    ]  # fmt: skip


def test_the_folders_that_wait_are_there() -> None:
    tests = Path(__file__).parent
    assert {path.name for path in tests.iterdir() if path.is_dir()} >= WAITING
