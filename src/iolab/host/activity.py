"""The whole machine during a load: other programs, stolen time, changes of the clock."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from iolab.host import proc
from iolab.results.records import MachineUsage

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Reading:
    """All counters at one time; None if the platform does not have them."""

    busy_s: float | None
    steal_s: float | None
    own_s: float
    wall_s: float
    steady_s: float
    slowed: int


class Watch:
    """The machine between two readings."""

    def __init__(self) -> None:
        self._first = self._last = read()

    def end(self) -> None:
        """Take the second reading."""
        self._last = read()

    def usage(self) -> MachineUsage:
        """Return the differences between the two readings."""
        first, last = self._first, self._last
        span_s = last.steady_s - first.steady_s
        return MachineUsage(
            cores=os.cpu_count(),
            span_s=round(span_s, 6),
            busy_s=difference(first.busy_s, last.busy_s),
            steal_s=difference(first.steal_s, last.steal_s),
            own_s=difference(first.own_s, last.own_s),
            clock_step_s=round(last.wall_s - first.wall_s - span_s, 6),
            slowed=last.slowed - first.slowed,
        )


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch the machine during the block."""
    watch = Watch()
    yield watch
    watch.end()


def read() -> Reading:
    """Read all counters."""
    busy_s, steal_s = proc.cpu_times()
    throttled = proc.SYS.glob("devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")
    return Reading(
        busy_s=busy_s,
        steal_s=steal_s,
        own_s=time.process_time(),
        wall_s=time.time(),
        steady_s=time.monotonic(),
        slowed=sum(proc.number(path) or 0 for path in throttled),
    )


def difference(first: Number | None, last: Number | None) -> Number | None:
    """Return by how much a counter has grown; None if one of the readings is not known."""
    return None if first is None or last is None else round(last - first, 6)
