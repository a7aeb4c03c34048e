"""Which cores serve and which cores load."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

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


def available() -> tuple[int, ...]:
    """Return the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def plan(cpus: float, cores: Sequence[int]) -> CpuPlan:
    """Give the servers the first ceil(`cpus`) of `cores` and the load generator the others.

    Where none is left, the load generator gets all of them, and `CpuPlan.shared` says so.
    Raises ValueError where `cpus` is below LEAST or more than there are.
    """
    if not LEAST <= cpus < math.inf:
        raise ValueError(f"CPUS={cpus:g}: must be {LEAST:g} or more, such as 0.25, 1 or 2")
    if cpus > len(cores):
        raise ValueError(f"CPUS={cpus:g}: this machine has {len(cores)}; give at most that")
    count = math.ceil(cpus)
    return CpuPlan(cpus=cpus, server=tuple(cores[:count]), loadgen=tuple(cores[count:] or cores))
