"""In which order parallel processes run the tests: those that wait for programs first, those that compute after them.

pytest-xdist's worksteal gives each process a part of the list, from its beginning to its end, and takes from the end of
a part what another process has time for. So each part begins with tests that wait: they wait beside each other, and
what is left at the end is short. Whole runs are the longest, so they come first of all: one that is left at the end has
the machine for itself. Tests of a file stay together, because they share fixtures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

RUNS = {"integration"}  # a folder of tests
WAITING = RUNS | {"contract", "docker", "host", "live", "loadgen", "runtime", "web"}  # folders of tests


class Item(Protocol):
    """A test."""

    @property
    def path(self) -> Path:
        """Its file."""


Test = TypeVar("Test", bound=Item)


def dealt(items: Sequence[Test], processes: int) -> list[Test]:
    """Return the same tests, so that of as many equal parts as there are processes, each begins with waiting ones."""
    files: dict[Path, list[Test]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    parts: list[list[Test]] = [[] for _ in range(processes)]
    for path in sorted(files, key=_turn):
        min(parts, key=len).extend(files[path])
    return [test for part in parts for test in part]


def _turn(path: Path) -> int:
    """Return which tests a file has: 0 for whole runs, 1 for others that wait, 2 for those that compute."""
    return (path.parent.name not in RUNS) + (path.parent.name not in WAITING)
