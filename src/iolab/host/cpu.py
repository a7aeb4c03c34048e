"""Each core by itself: what programs compute on it, what the hypervisor takes, heat, and threads of one core.

What this system does not tell is missing in what is returned: nothing is taken for 0.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from iolab.host import proc as kernel
from iolab.host.proc import GROUPS, PROC, STEAL, SYS

PROGRAMS = (0, 1, 2)  # columns of /proc/stat: user, nice, system; interrupts serve the packets of the lab's own load
CORES = "devices/system/cpu"


class CoreTimes(NamedTuple):
    """Seconds of one core since the start: computed by programs, and stolen by the hypervisor."""

    busy_s: float
    steal_s: float


def times(proc: Path = PROC) -> dict[int, CoreTimes]:
    """Return the times of each core that is online, by its number."""
    tick, found = os.sysconf("SC_CLK_TCK"), {}
    for line in kernel.text(proc / "stat").splitlines():
        name, *words = line.split()
        if (match := re.fullmatch(r"cpu(\d+)", name)) and len(words) > STEAL:
            columns = [int(word) for word in words]
            found[int(match[1])] = CoreTimes(sum(columns[at] for at in PROGRAMS) / tick, columns[STEAL] / tick)
    return found


def heat_counts(sys: Path = SYS) -> dict[int, int]:
    """Return how often heat has slowed each core; arm64 and virtual machines have no such counters."""
    paths = (sys / CORES).glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    counts = {int(path.parts[-3].removeprefix("cpu")): kernel.number(path) for path in paths}
    return {core: count for core, count in counts.items() if count is not None}


def siblings(sys: Path = SYS) -> dict[int, frozenset[int]]:
    """Return the hardware threads of each core's physical core, itself among them.

    Source: Documentation/admin-guide/cputopology.rst of Linux, thread_siblings_list, such as "0,32" or "0-1".
    """
    paths = (sys / CORES).glob("cpu[0-9]*/topology/thread_siblings_list")
    found = {int(path.parts[-3].removeprefix("cpu")): frozenset(kernel.listed(kernel.text(path))) for path in paths}
    return {core: threads for core, threads in found.items() if core in threads}


def group_throttled_s(proc: Path = PROC, groups: Path = GROUPS) -> float | None:
    """Return for how long quotas have throttled this process's control groups so far; None: not counted here.

    The time is that of all their tasks and cores together. A group without the controller counts nothing.
    """
    found = []
    for folder in kernel.own_groups(proc, groups, "cpu"):
        counted = kernel.pairs(kernel.text(folder / "cpu.stat"))
        if "throttled_usec" in counted:
            found.append(counted["throttled_usec"] / 1e6)
        elif "throttled_time" in counted:
            found.append(counted["throttled_time"] / 1e9)
    return sum(found) if found else None
