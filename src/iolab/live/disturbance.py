"""What would disturb a measurement on this machine now; for `doctor`."""

import time
from collections.abc import Sequence

from iolab.host import activity, cpu, proc
from iolab.host.cores import CpuPlan, available, plan
from iolab.host.processes import run
from iolab.report import numbers
from iolab.results.records import MachineUsage

LOOK_S = 0.5
BUSY, BUSY_CORE, STOLEN = 0.1, 0.25, 0.05  # shares of all cores, of one, and of one, that disturb a measurement
LISTED = 8  # cores
STEADY = ("", "performance", "schedutil")  # governors; "": the machine has none, or does not tell
Row = tuple[bool | None, str, str]  # None: not checked


def now() -> list[Row]:
    """Watch the machine for a moment; return (fine or not, or None for not checked; name; description)."""
    with activity.watching() as watch:
        time.sleep(LOOK_S)
    governor = proc.text(proc.SYS / "devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    mine, usage = available(), watch.usage()
    planned = plan(1.0, mine, cpu.siblings(), usage.group_quota)
    return [*of_usage(usage, mine), of_siblings(planned), *of_governor(governor), of_heat(usage), of_quota(usage, mine)]


def of_usage(usage: MachineUsage, mine: Sequence[int]) -> list[Row]:
    """Return a row for other programs on `mine`, the cores that the lab may use, and one for stolen time there."""
    known = [core for core in usage.by_core or () if core.core in mine]
    if not known or not usage.span_s:
        why = "not checked: this system does not tell what each of its cores does (/proc/stat)"
        return [(None, "load", why), (None, "stolen time", why)]
    span_s = usage.span_s * len(known)
    share = max(0.0, sum(core.busy_s for core in known) - (usage.own_s or 0.0)) / span_s
    full = [core.core for core in known if (core.busy_s - (usage.own_s or 0.0)) / usage.span_s > BUSY_CORE]
    text = f"other programs use {share:.0%} of the {len(known)} cores now"
    text += f", and more than {BUSY_CORE:.0%} of {numbers.cores(', '.join(map(str, full[:LISTED])))}" if full else ""
    fine = share < BUSY and not full
    rows: list[Row] = [(fine, "load", text if fine else f"{text}: end them before you measure")]
    stolen = max(max(0.0, core.steal_s) for core in known) / usage.span_s
    text = f"the hypervisor takes up to {stolen:.0%} of the CPU time of a core now"
    rows.append((stolen < STOLEN, "stolen time", text if stolen < STOLEN else f"{text}: measure at another time"))
    return rows


def of_siblings(planned: CpuPlan) -> Row:
    """Return a row about cores that are two threads of one physical core, for servers that may use one CPU."""
    if planned.siblings is None:
        return None, "SMT", "not checked: this system does not tell which cores are threads of one physical core"
    if planned.siblings:
        server, load = planned.siblings[0]
        text = f"core {server} (servers) and core {load} (load generator) are threads of one physical core"
        return False, "SMT", f"{text}: while one computes, the other is slower"
    return True, "SMT", "servers and load generator get physical cores of their own with CPUS=1"


def of_heat(usage: MachineUsage) -> Row:
    """Return a row about heat that slows the cores down."""
    if usage.slowed is None:
        return None, "heat", "not known: this processor does not count how often heat slows it"
    if not usage.slowed:
        return True, "heat", "it does not slow the cores now"
    return False, "heat", "heat slows the cores down (throttling): let the machine cool down before you measure"


def of_quota(usage: MachineUsage, mine: Sequence[int]) -> Row:
    """Return a row about a quota of the control group, which throttles what uses all cores."""
    if usage.group_quota is not None and usage.group_quota < len(mine):
        text = f"the control group throttles this shell at {usage.group_quota:g} of {len(mine)} cores"
        fix = "raise its quota (CPUQuota of the systemd unit, --cpus of the container)"
        return False, "throttling", f"{text}: {fix}"
    if usage.group_quota is None and usage.group_throttled_s is None:
        return None, "throttling", "not checked: this shell's control group has no count of throttled time"
    return True, "throttling", "no quota of the control group throttles this shell"


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
