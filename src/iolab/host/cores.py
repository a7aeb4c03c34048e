"""Which cores serve and which cores load."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from iolab.errors import UsageError

LEAST = 0.01  # what an engine takes: 1 ms in each period of 100 ms


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
        """Return what docker-compose.yml takes for it."""
        return {
            "CPUS": f"{self.cpus:g}",
            "SERVER_CPUSET": ",".join(map(str, self.server)),
            "LOADGEN_CPUSET": ",".join(map(str, self.loadgen)),
        }


def can_pin() -> bool:
    """Say whether this platform can keep a program on cores."""
    return hasattr(os, "sched_setaffinity")


def available() -> tuple[int, ...]:
    """Return the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def plan(cpus: float, cores: Sequence[int]) -> CpuPlan:
    """Give the servers the first ceil(`cpus`) of `cores` and the load generator the others.

    Where none is left, the load generator gets all of them, and `CpuPlan.shared` says so.
    Raises UsageError where `cpus` is below LEAST or more than there are.
    """
    if not LEAST <= cpus < math.inf:
        raise UsageError(f"CPUS={cpus:g}: must be {LEAST:g} or more, such as 0.25, 1 or 2")
    if cpus > len(cores):
        raise UsageError(f"CPUS={cpus:g}: this machine has {len(cores)}; give at most that")
    count = math.ceil(cpus)
    return CpuPlan(cpus=cpus, server=tuple(cores[:count]), loadgen=tuple(cores[count:] or cores))


@contextmanager
def affinity(cores: Sequence[int]) -> Iterator[bool]:
    """Let what is started inside run on `cores` only, from its first instruction on; says whether that is possible.

    A child inherits the cores of the thread that starts it; setting them afterwards would miss threads.
    """
    if not can_pin():
        yield False
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, cores)
    except OSError:  # not cores of ours: the engine runs in a virtual machine that has more
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)
