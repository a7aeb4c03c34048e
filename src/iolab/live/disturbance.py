"""What would disturb a measurement on this machine now; for `doctor`."""

import os
import time

from iolab.host import activity, limits, proc
from iolab.host.cores import available
from iolab.host.processes import run
from iolab.results.records import MachineUsage

LOOK_S = 0.5
BUSY, STOLEN = 0.1, 0.01  # shares of the time of all cores, from which on a measurement is disturbed
STEADY = ("", "performance", "schedutil")  # governors; "": the machine has none, or does not tell
Row = tuple[bool, str, str]


def now() -> list[Row]:
    """Watch the machine for a moment; return (fine or not, name, description)."""
    with activity.watching() as watch:
        time.sleep(LOOK_S)
    governor = proc.text(proc.SYS / "devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    cores, usage = os.cpu_count() or 1, watch.usage()
    quota = of_quota(limits.cpu_quota(), len(available()))
    return [*of_usage(usage, cores), *of_governor(governor), *of_heat(usage), *quota]


def of_usage(usage: MachineUsage, cores: int) -> list[Row]:
    """Return a row for the other programs, and one for stolen time, as far as they are known."""
    rows: list[Row] = []
    span_s = (usage.span_s or 0.0) * cores
    if usage.busy_s is not None and span_s:
        share = max(0.0, usage.busy_s - (usage.own_s or 0.0)) / span_s
        text = f"other programs use {share:.0%} of the {cores} cores now"
        rows.append((share < BUSY, "load", text if share < BUSY else f"{text}: end them before you measure"))
    if usage.steal_s is not None and span_s:
        share = max(0.0, usage.steal_s) / span_s
        text = f"the hypervisor takes {share:.0%} of the CPU time now"
        rows.append((share < STOLEN, "stolen time", text if share < STOLEN else f"{text}: measure at another time"))
    return rows


def of_heat(usage: MachineUsage) -> list[Row]:
    """Return a row where heat slows the cores down."""
    if not usage.slowed:
        return []
    return [(False, "heat", "heat slows the cores down (throttling): let the machine cool down before you measure")]


def of_quota(quota: float | None, cores: int) -> list[Row]:
    """Return a row where a quota of the control group throttles what uses all cores."""
    if quota is None or quota >= cores:
        return []
    text = f"the control group throttles this shell at {quota:g} of {cores} cores"
    return [(False, "throttling", f"{text}: raise its quota (CPUQuota of the systemd unit, --cpus of the container)")]


def of_governor(governor: str) -> list[Row]:
    """Return a row where the clock of the cores changes with the load."""
    if governor in STEADY:
        return []
    fix = "sudo cpupower frequency-set -g performance"
    return [(False, "governor", f"{governor}: the clock of the cores changes with the load; {fix}")]


def containers(project: str) -> Row:
    """Return a row for containers that are not the lab's; Docker answers."""
    names = run(["docker", "ps", "--format", "{{.Names}}"], timeout_s=20).stdout.split()
    others = [name for name in names if not name.startswith(f"{project}-")]
    if not others:
        return True, "containers", "no other containers run"
    shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    return False, "containers", f"{shown}: stop them before you measure (docker stop)"
