"""In which order parallel processes run the tests: some begin with those that wait for programs, the others compute.

pytest-xdist's worksteal gives each process a part of the list, from its beginning to its end, and takes from the end of
a part what another process has time for. So half of the parts begin with tests that wait: the processes of the other
half have the processors meanwhile, and what is left at the end is short. Whole runs are the longest, so they come first
of all: one that is left at the end has the machine for itself. Tests of a file stay together, because they share
fixtures, but for some at the end of a part.
"""

import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

RUNS = {"integration"}  # a folder of tests
WAITING = RUNS | {"contract", "docker", "host", "live", "loadgen", "runtime", "web"}  # folders of tests
COMPUTES = 2


class Item(Protocol):
    """A test."""

    @property
    def path(self) -> Path:
        """Its file."""


Test = TypeVar("Test", bound=Item)


def dealt(items: Sequence[Test], processes: int) -> list[Test]:
    """Return the same tests, so that of as many equal parts as there are processes, half begin with waiting ones."""
    files: dict[Path, list[Test]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    parts: list[list[Test]] = [[] for _ in range(processes)]
    waiting = sum(len(tests) for path, tests in files.items() if _turn(path) != COMPUTES)
    filled = math.ceil(processes * waiting / max(1, len(items)))  # parts, by the tests that wait
    begin = max(math.ceil(processes / 2), filled)
    for path in sorted(files, key=_turn):
        min(parts if _turn(path) == COMPUTES else parts[:begin], key=len).extend(files[path])
    return [test for part in levelled(parts) for test in part]


def levelled(parts: Sequence[Sequence[Test]]) -> list[list[Test]]:
    """Return parts of the size that pytest-xdist makes: what is too much at the end of one goes to the end of others."""
    number, places = sum(map(len, parts)), len(parts)
    sizes = [(number + place) // places for place in range(places)]  # the last ones have one more
    found = [[*part[:size]] for part, size in zip(parts, sizes, strict=True)]
    surplus = iter([test for part, size in zip(parts, sizes, strict=True) for test in part[size:]])
    for part, size in zip(found, sizes, strict=True):
        part.extend(islice(surplus, size - len(part)))
    return found


def _turn(path: Path) -> int:
    """Return which tests a file has: 0 for whole runs, 1 for others that wait, COMPUTES for those that compute."""
    return (path.parent.name not in RUNS) + (path.parent.name not in WAITING)
