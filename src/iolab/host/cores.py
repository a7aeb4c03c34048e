"""Which cores the servers use and which the load generator uses."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from iolab.errors import UsageError

LEAST = 0.01  # the least that an engine accepts: 1 ms in each period of 100 ms


@dataclass(frozen=True)
class CpuPlan:
    """The cores of the servers and of the load generator, and the limit in CPUs on each server."""

    cpus: float
    server: tuple[int, ...]
    loadgen: tuple[int, ...]

    @property
    def shared(self) -> bool:
        """Whether server and load generator compete for a core."""
        return bool(set(self.server) & set(self.loadgen))

    def variables(self) -> dict[str, str]:
        """Return the variables of docker-compose.yml for it."""
        return {
            "CPUS": f"{self.cpus:g}",
            "SERVER_CPUSET": ",".join(map(str, self.server)),
            "LOADGEN_CPUSET": ",".join(map(str, self.loadgen)),
        }


def can_pin() -> bool:
    """Return whether this platform can pin a program to cores."""
    return hasattr(os, "sched_setaffinity")


def available() -> tuple[int, ...]:
    """Return the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def plan(cpus: float, cores: Sequence[int]) -> CpuPlan:
    """Give the servers the first ceil(`cpus`) of `cores` and the load generator the others.

    If no core is left, the load generator gets all of them, and `CpuPlan.shared` is true.
    Raises UsageError if `cpus` is below LEAST or above the number of cores.
    """
    if not LEAST <= cpus < math.inf:
        raise UsageError(f"CPUS={cpus:g}: must be {LEAST:g} or more, such as 0.25, 1 or 2")
    if cpus > len(cores):
        raise UsageError(f"CPUS={cpus:g}: this machine has {len(cores)}; give at most that")
    count = math.ceil(cpus)
    return CpuPlan(cpus=cpus, server=tuple(cores[:count]), loadgen=tuple(cores[count:] or cores))


@contextmanager
def affinity(cores: Sequence[int]) -> Iterator[bool]:
    """Run what is started in the block on `cores` only, from its first instruction on; yield whether that is possible.

    A child inherits the cores of the thread that starts it; setting them afterwards would miss threads.
    """
    if not can_pin():
        yield False
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, cores)
    except OSError:  # not cores of this machine: the engine runs in a virtual machine that has more
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)
