"""Waiting for something to happen, with a bound: no test sleeps and hopes."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found | None], limit_s: float = 20.0, every_s: float = 0.02) -> Found:
    """Return the first result of `condition` that is true; fails after `limit_s` seconds, with the last one."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {found!r}"
        time.sleep(every_s)
    return found
