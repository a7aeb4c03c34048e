"""Which cores the servers use and which the load generator uses."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from iolab.errors import UsageError

LEAST = 0.01  # the least that an engine accepts: 1 ms in each period of 100 ms
# More than any load of the lab needs: one core sends 20,000 arrivals a second. Others stay free for other programs.
MOST_OF_THE_LOAD = 16


@dataclass(frozen=True)
class CpuPlan:
    """The cores of the servers and of the load generator, and the limit in CPUs on each server.

    `siblings` are pairs of a server's core and a load generator's that are threads of one physical core; None: not
    known.
    """

    cpus: float
    server: tuple[int, ...]
    loadgen: tuple[int, ...]
    siblings: tuple[tuple[int, int], ...] | None = None

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


def plan(
    cpus: float, cores: Sequence[int], threads: Mapping[int, frozenset[int]] | None = None, quota: float | None = None
) -> CpuPlan:
    """Give the servers ceil(`cpus`) of `cores` and the load generator others, at most MOST_OF_THE_LOAD.

    `threads` are the hardware threads of each core's physical core (cpu.siblings): servers get whole cores of their
    own, and the load generator no sibling of them, as long as there are others. With a `quota` of the lab's control
    group, in CPUs, the load generator gets no more cores than the quota has time for.

    If no core is left, the load generator gets all of them, and `CpuPlan.shared` is true.
    Raises UsageError if `cpus` is below LEAST or above the number of cores.
    """
    if not LEAST <= cpus < math.inf:
        raise UsageError(f"CPUS={cpus:g}: must be {LEAST:g} or more, such as 0.25, 1 or 2")
    if cpus > len(cores):
        raise UsageError(f"CPUS={cpus:g}: this machine has {len(cores)}; give at most that")
    count, known = math.ceil(cpus), threads or {}
    most = MOST_OF_THE_LOAD if quota is None else min(MOST_OF_THE_LOAD, max(1, int(quota) - count))
    for order in _orders(cores, known):
        server = order[:count]
        theirs = frozenset().union(*(known.get(core, frozenset()) for core in server))
        if others := [core for core in cores if core not in theirs and core not in server]:
            return _planned(cpus, server, others[:most], known)
    server = cores[:count]
    return _planned(cpus, server, cores[count:][:most] or cores, known)


def _orders(cores: Sequence[int], threads: Mapping[int, frozenset[int]]) -> Iterator[Sequence[int]]:
    """Yield orders in which servers may take cores: one thread of each physical core first, or all of each in turn."""
    seen: set[int] = set()
    first: list[int] = []
    for core in cores:
        if core not in seen:
            first.append(core)
        seen |= {core} | threads.get(core, frozenset())
    if len(first) == len(cores):
        yield cores
        return
    yield [*first, *(core for core in cores if core not in first)]
    yield [core for one in first for core in cores if core == one or core in threads.get(one, frozenset())]


def _planned(
    cpus: float, server: Sequence[int], loadgen: Sequence[int], threads: Mapping[int, frozenset[int]]
) -> CpuPlan:
    """Return a plan, with the pairs of cores that are threads of one physical core."""
    pairs = tuple((one, other) for one in server for other in loadgen if one != other and other in threads.get(one, ()))
    return CpuPlan(cpus, tuple(sorted(server)), tuple(loadgen), pairs if threads else None)


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
