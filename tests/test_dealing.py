"""Parallel processes run every test once, and half of them begin with those that wait."""

from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import pytest

from tests.dealing import WAITING, dealt, levelled


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
def test_each_test_is_dealt_once_and_files_stay_together_but_at_the_ends_of_parts(processes: int) -> None:
    found = dealt(ALL, processes)
    assert sorted(found, key=str) == sorted(ALL, key=str)
    switches = [one.path for one, other in pairwise(found) if one.path != other.path]
    assert len(switches) <= 5 + 2 * (processes - 1)


@pytest.mark.parametrize(("number", "processes"), [(0, 3), (1, 3), (110, 4), (111, 6), (6593, 5)])
def test_parts_have_the_sizes_that_xdist_gives_to_processes(number: int, processes: int) -> None:
    left, sizes = number, []
    for remaining in range(processes, 0, -1):  # as xdist/scheduler/worksteal.py says
        sizes.append(left // remaining)
        left -= sizes[-1]
    parts = [of("kinds/test_pure.py", number), *[[]] * (processes - 1)]
    assert [len(part) for part in levelled(parts)] == sizes


def test_half_of_the_parts_begin_with_tests_that_wait_and_whole_runs_are_first() -> None:
    found = [test.path.as_posix().removeprefix("tests/") for test in dealt(ALL, 3)]
    parts = [[*dict.fromkeys(found[begin : begin + 37])] for begin in (0, 37, 74)]
    assert parts == [
        ["integration/test_long.py", "theory/test_more.py"],
        ["contract/test_a.py", "live/test_b.py", "theory/test_most.py", "theory/test_more.py", "kinds/test_pure.py"],
        ["kinds/test_pure.py"],
    ]


def test_tests_that_all_wait_are_dealt_to_all() -> None:
    files = [of(f"docker/test_{name}.py", 2) for name in "abcdefgh"]
    assert "".join(test.path.stem[-1] for test in dealt([*chain(*files)], 4)[::2]) == "aebfcgdh"


def test_the_folders_that_wait_are_there() -> None:
    tests = Path(__file__).parent
    assert {path.name for path in tests.iterdir() if path.is_dir()} >= WAITING
