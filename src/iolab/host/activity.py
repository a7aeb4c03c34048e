"""The whole machine and each of its cores during a load: programs, stolen time, heat, quotas, changes of the clock."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from iolab.host import cpu, limits, proc
from iolab.host.cpu import CoreTimes
from iolab.host.proc import GROUPS, PROC, SYS
from iolab.results.records import CoreUsage, MachineUsage

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Places:
    """Where the kernel tells what it knows; a test has folders of its own."""

    proc: Path = PROC
    sys: Path = SYS
    groups: Path = GROUPS


@dataclass(frozen=True)
class Reading:
    """All counters at one time; None, or missing in a mapping, if the platform does not have them."""

    busy_s: float | None
    steal_s: float | None
    own_s: float
    wall_s: float
    steady_s: float
    cores: Mapping[int, CoreTimes] = field(default_factory=dict)
    heat: Mapping[int, int] = field(default_factory=dict)
    throttled_s: float | None = None


class Watch:
    """The machine between two readings."""

    def __init__(self, places: Places | None = None) -> None:
        self._places = places or Places()
        self._first = self._last = read(self._places)

    def end(self) -> None:
        """Take the second reading."""
        self._last = read(self._places)

    def usage(self) -> MachineUsage:
        """Return the differences between the two readings."""
        first, last = self._first, self._last
        span_s = last.steady_s - first.steady_s
        slowed = heat(first, last)
        return MachineUsage(
            cores=os.cpu_count(),
            span_s=round(span_s, 6),
            busy_s=difference(first.busy_s, last.busy_s),
            steal_s=difference(first.steal_s, last.steal_s),
            own_s=difference(first.own_s, last.own_s),
            clock_step_s=round(last.wall_s - first.wall_s - span_s, 6),
            slowed=sum(slowed.values()) if slowed else None,
            by_core=by_core(first, last),
            group_quota=limits.cpu_quota(self._places.proc, self._places.groups),
            group_throttled_s=difference(first.throttled_s, last.throttled_s),
        )


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch the machine during the block."""
    watch = Watch()
    yield watch
    watch.end()


def read(places: Places) -> Reading:
    """Read all counters."""
    busy_s, steal_s = proc.cpu_times(places.proc)
    return Reading(
        busy_s=busy_s,
        steal_s=steal_s,
        own_s=time.process_time(),
        wall_s=time.time(),
        steady_s=time.monotonic(),
        cores=cpu.times(places.proc),
        heat=cpu.heat_counts(places.sys),
        throttled_s=cpu.group_throttled_s(places.proc, places.groups),
    )


def heat(first: Reading, last: Reading) -> dict[int, int]:
    """Return how often heat slowed each core between two readings, of the cores that count it."""
    return {core: last.heat[core] - count for core, count in first.heat.items() if core in last.heat}


def by_core(first: Reading, last: Reading) -> tuple[CoreUsage, ...] | None:
    """Return each core's differences, of cores that were online all the time; None if no core is known."""
    slowed = heat(first, last)
    found = tuple(
        CoreUsage(
            core=core,
            busy_s=round(last.cores[core].busy_s - before.busy_s, 6),
            steal_s=round(last.cores[core].steal_s - before.steal_s, 6),
            slowed=slowed.get(core),
        )
        for core, before in sorted(first.cores.items())
        if core in last.cores
    )
    return found or None


def difference(first: Number | None, last: Number | None) -> Number | None:
    """Return by how much a counter has grown; None if one of the readings is not known."""
    return None if first is None or last is None else round(last - first, 6)
