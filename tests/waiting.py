"""Waiting for something to happen, with a bound: no test sleeps and hopes."""

import asyncio
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


async def happens(condition: Callable[[], object], limit_s: float = 20.0) -> None:
    """Wait, in an event loop that goes on, until `condition` is true; fails after `limit_s` seconds."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 (what it waits for is no event)
            await asyncio.sleep(0.005)
