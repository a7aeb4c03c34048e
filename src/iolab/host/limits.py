"""The limits of this machine: read before a run meets them, and raised as far as this user may."""

import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iolab.errors import UsageError
from iolab.host import proc as kernel
from iolab.host.proc import GROUPS, PROC

OPEN_MAX = 10_240  # what macOS takes as a soft limit on open files where the hard one is infinite (man setrlimit)
MACOS_PORTS = 16_384  # 49152 to 65535
UNLIMITED_BYTES = 2**60  # memory.limit_in_bytes without a limit is about 2^63
LEAST_FILES = 64  # of a run: with fewer, servers and load generators end in errors of their own
OPEN_FILES = "open files"  # of a server, as run.json names the limit
CONTAINER_FILES = 65_536  # of a process in a container: an experiment has up to 10,000 users on one server
FILES_VARIABLE = "OPEN_FILES"  # of docker-compose.yml
ENGINES = ("containerd", "dockerd")
CAP_SYS_RESOURCE = 24  # may raise hard limits (man 7 capabilities); <linux/capability.h>


@dataclass(frozen=True)
class Facts:
    """Limits of this machine, as they apply to this process; None is no limit, or an unknown one.

    For shared resources it is what is left: `files_machine`, `threads_max` and `pid_max` (of all tasks),
    `group_tasks` and `group_memory_bytes` (of this process's control group), `memory_bytes`, `tracked` (connections
    that the firewall can track), and `buffers_bytes` (of TCP).
    """

    files: int | None = None  # open files of a process: the hard limit, to which the lab raises the soft one
    engine_files: int | None = None  # the same for a container: its engine can give no more than it has
    files_machine: int | None = None
    ports: int | None = None  # for connections from one source address to one server
    many_loopbacks: bool = True  # 127.0.0.2 and so on are addresses, too
    threads_max: int | None = None
    pid_max: int | None = None
    user_tasks: int | None = None
    group_tasks: int | None = None
    maps: int | None = None  # memory maps of a process
    memory_bytes: int | None = None
    group_memory_bytes: int | None = None
    tracked: int | None = None
    backlog: int | None = None  # the longest accept queue: how many can connect at once, not how many can stay
    buffers_bytes: int | None = None


def read(proc: Path = PROC, groups: Path = GROUPS) -> Facts:
    """Read the limits from the kernel."""
    tasks = kernel.tasks(proc)
    tracked = kernel.number(proc / "sys/net/netfilter/nf_conntrack_max")
    files = _hard(resource.RLIMIT_NOFILE)
    return Facts(
        files=OPEN_MAX if files is None and sys.platform == "darwin" else files,
        engine_files=_engine_files(proc),
        files_machine=_left(kernel.number(proc / "sys/fs/file-max"), kernel.number(proc / "sys/fs/file-nr")),
        ports=_ports(proc),
        many_loopbacks=sys.platform == "linux",
        threads_max=_left(kernel.number(proc / "sys/kernel/threads-max"), tasks),
        pid_max=_left(kernel.number(proc / "sys/kernel/pid_max"), tasks),
        user_tasks=None if os.getuid() == 0 else _hard(resource.RLIMIT_NPROC),  # it does not bind root
        group_tasks=min(_group_tasks(proc, groups), default=None),
        maps=kernel.number(proc / "sys/vm/max_map_count"),
        memory_bytes=kernel.sizes(kernel.text(proc / "meminfo")).get("MemAvailable"),
        group_memory_bytes=min(_group_memory(proc, groups), default=None),
        tracked=_left(tracked, kernel.number(proc / "sys/net/netfilter/nf_conntrack_count")),
        backlog=kernel.number(proc / "sys/net/core/somaxconn"),
        buffers_bytes=_buffers(proc),
    )


def container_files(facts: Facts) -> int:
    """Return how many open files the lab gives each process of a container: as many as the engine can, at most.

    What an engine gives by itself differs: 1,024, 20,000, or a million. If the engine runs elsewhere, as in the virtual
    machine of Docker Desktop, its limit is not known; it is far higher there.
    """
    return min(CONTAINER_FILES, facts.engine_files or CONTAINER_FILES)


def open_files() -> int | None:
    """Return the soft limit on open files of this process, and of those that it starts; None: unlimited."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def check_open_files() -> None:
    """Raise UsageError if this process may not have the open files that any run needs; the soft limit is raised."""
    files = open_files()
    if files is not None and files < LEAST_FILES:
        raise UsageError(
            f"a process may have {files} open files on this machine (hard limit), and a run needs {LEAST_FILES}:"
            " `ulimit -n 1024` in a root shell raises it"
        )


def raise_soft_limits() -> list[str]:
    """Raise the soft limits of this process, which child processes inherit, to the hard ones; return the changes."""
    done = []
    for name, which in (("open files", resource.RLIMIT_NOFILE), ("processes and threads", resource.RLIMIT_NPROC)):
        soft, hard = resource.getrlimit(which)
        for wanted in (hard, OPEN_MAX):
            if soft == resource.RLIM_INFINITY or 0 <= wanted <= soft:
                break
            try:
                resource.setrlimit(which, (wanted, hard))
            except (OSError, ValueError):
                continue
            done.append(f"{name}: {_text(soft)} -> {_text(wanted)}")
            break
    return done


def _text(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else f"{limit:,}"


def _hard(which: int) -> int | None:
    _, hard = resource.getrlimit(which)
    return None if hard == resource.RLIM_INFINITY else hard


def _engine_files(proc: Path) -> int | None:
    """Return the hard limit of Docker's engine if it runs on this host, or the value to which it can raise that."""
    found = []
    for comm in proc.glob("[0-9]*/comm"):
        if kernel.text(comm).strip() not in ENGINES:
            continue
        status = kernel.fields(kernel.text(comm.with_name("status")))
        root = status.get("Uid", "").split()[:1] == ["0"]
        if root and int(status.get("CapEff", "0"), 16) >> CAP_SYS_RESOURCE & 1:
            found.append(kernel.number(proc / "sys/fs/nr_open"))
        else:
            found.append(kernel.limit(int(comm.parent.name), "Max open files", proc, hard=True))
    return min((limit for limit in found if limit is not None), default=None)


def _ports(proc: Path) -> int | None:
    span = kernel.numbers(proc / "sys/net/ipv4/ip_local_port_range")
    if len(span) != 2:
        return MACOS_PORTS if sys.platform == "darwin" else None
    reserved = kernel.listed(kernel.text(proc / "sys/net/ipv4/ip_local_reserved_ports"))
    return len(set(range(span[0], span[1] + 1)) - set(reserved))


def _buffers(proc: Path) -> int | None:
    allowed, used = kernel.numbers(proc / "sys/net/ipv4/tcp_mem"), kernel.sockets_bytes(proc)
    return None if not allowed or used is None else allowed[2] * os.sysconf("SC_PAGE_SIZE") - used


def _group_tasks(proc: Path, groups: Path) -> Iterator[int]:
    for folder in kernel.own_groups(proc, groups, "pids"):
        limit, used = kernel.number(folder / "pids.max"), kernel.number(folder / "pids.current")
        if limit is not None and used is not None:
            yield limit - used


def _group_memory(proc: Path, groups: Path) -> Iterator[int]:
    """Return what is left of each limit; unused pages of the page cache count as free."""
    for folder in kernel.own_groups(proc, groups, "memory"):
        v1 = (folder / "memory.limit_in_bytes").is_file()
        limit = kernel.number(folder / ("memory.limit_in_bytes" if v1 else "memory.max"))
        used = kernel.number(folder / ("memory.usage_in_bytes" if v1 else "memory.current"))
        idle = kernel.pairs(kernel.text(folder / "memory.stat"))
        if limit is not None and used is not None and limit < UNLIMITED_BYTES:
            yield limit - used + idle.get("total_inactive_file" if v1 else "inactive_file", 0)


def cpu_quota(proc: Path = PROC, groups: Path = GROUPS) -> float | None:
    """Return for how many CPUs the control groups of this process give time; None without a quota."""
    quotas = []
    for folder in kernel.own_groups(proc, groups, "cpu"):
        v1 = [kernel.text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
        quota, period = (kernel.text(folder / "cpu.max").split() or v1)[:2]  # "max", or -1: no quota
        if quota.isdecimal() and period.isdecimal() and int(period):
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def _left(limit: int | None, used: int | None) -> int | None:
    return None if limit is None else max(0, limit - (used or 0))
