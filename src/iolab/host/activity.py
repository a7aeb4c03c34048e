"""What the whole machine did while a load ran: whether others computed, time was stolen, clocks were set."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iolab.results.records import MachineUsage

STAT = Path("/proc/stat")
CPUS = Path("/sys/devices/system/cpu")
BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq: the columns of /proc/stat (man 5 proc)
STEAL = 7


@dataclass(frozen=True)
class Reading:
    """All counters at one moment; None where the platform has none."""

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
        """Return what happened between the two."""
        first, last = self._first, self._last
        span_s = last.steady_s - first.steady_s
        return MachineUsage(
            cores=os.cpu_count(),
            span_s=round(span_s, 6),
            busy_s=_difference(first.busy_s, last.busy_s),
            steal_s=_difference(first.steal_s, last.steal_s),
            own_s=_difference(first.own_s, last.own_s),
            clock_step_s=round(last.wall_s - first.wall_s - span_s, 6),
            slowed=last.slowed - first.slowed,
        )


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch the machine for the length of the block."""
    watch = Watch()
    yield watch
    watch.end()


def read() -> Reading:
    """Return all counters as they are now."""
    busy_s, steal_s = cpu_times(STAT)
    throttled = CPUS.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    return Reading(
        busy_s=busy_s,
        steal_s=steal_s,
        own_s=time.process_time(),
        wall_s=time.time(),
        steady_s=time.monotonic(),
        slowed=sum(int(path.read_text(encoding="ascii")) for path in throttled),
    )


def cpu_times(stat: Path) -> tuple[float | None, float | None]:
    """Return the seconds that all cores were busy, and that a hypervisor kept from them."""
    try:
        numbers = [int(number) for number in stat.read_text(encoding="ascii").partition("\n")[0].split()[1:]]
    except OSError:
        return None, None
    tick = os.sysconf("SC_CLK_TCK")
    return sum(numbers[column] for column in BUSY) / tick, numbers[STEAL] / tick


def _difference(first: float | None, last: float | None) -> float | None:
    return None if first is None or last is None else round(last - first, 6)
