"""In which order parallel processes run the tests: those that wait for programs first, those that compute after them.

pytest-xdist's worksteal gives each process a part of the list, from its beginning to its end, and takes from the end of
a part what another process has time for. So each part begins with tests that wait: they wait beside each other, and
what is left at the end is short. Tests of a file stay together, because they share fixtures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

WAITING = {"contract", "docker", "host", "integration", "live", "loadgen", "runtime", "web"}  # folders of tests


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
    for waits in (True, False):
        for tests in (tests for path, tests in files.items() if (path.parent.name in WAITING) == waits):
            min(parts, key=len).extend(tests)
    return [test for part in parts for test in part]
