"""How many users this machine can hold: which limit applies, checked before they connect, and how to raise it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from iolab.host.limits import Facts

SPARE_FILES = 64  # of a process, for what is not a connection
SPARE_TASKS = 128  # of the machine and of a container: for other programs
PROCESS_MAPS = 300  # of a Python process without connections
THREAD_MAPS = 3  # its stack, the guard page before it, and an allocator arena (measured with 19,500 threads)
PROCESS_BYTES = 30 * 2**20
LEAST_CONTAINER_BYTES = 512 * 2**20  # as docker-compose.yml has it
USED_SHARE = 0.8  # of the available memory: the kernel needs some
SOURCE_USERS = 5_000  # of a loopback address: past 10,000 the kernel's search for a free port becomes slow
SPREAD = 4.0  # standard deviations: SO_REUSEPORT distributes connections by their hash, so processes get unequal shares
MOST_PROCESSES = 256


@dataclass(frozen=True)
class Need:
    """What must be held: `users` on a server of `processes` processes, which share them.

    The KiB are for one user: in the server's memory, in the kernel's, which has both ends, and in the client's. The
    defaults are those of an idle WebSocket on asyncio, measured with 1,000 to 19,500. In containers, the client's
    processes share `client_containers`, each with an address of its own; None: each process has its own container.
    """

    users: int
    processes: int = 1
    threads_per_user: int = 0
    server_kib: float = 13.7
    kernel_kib: float = 9.5
    client_kib: float = 5.2  # as asyncio's streams take in a server
    client_processes: int = 1
    container: bool = False
    client_containers: int | None = None
    divisible: bool = False  # whether the server can run as several processes: then that is a remedy

    def with_threads(self) -> "Need":
        """Return the same for a server with a thread for each user: 28 KiB, and 20 KiB more in the kernel."""
        return replace(self, threads_per_user=1, server_kib=28.0, kernel_kib=29.5)


@dataclass(frozen=True)
class Limit:
    """One limit: its `name`, how many `users` it allows, `why`, and the `remedy` that raises it."""

    name: str
    users: int
    why: str
    remedy: str


def applicable(facts: Facts, need: Need) -> list[Limit]:
    """Return the limits that apply to `need`, the lowest first."""
    kinds: tuple[Callable[[Facts, Need], Iterator[Limit]], ...] = (_files, _ports, _threads, _memory, _network)
    return sorted((limit for kind in kinds for limit in kind(facts, need)), key=lambda limit: limit.users)


def capped(asked: int, limits: Sequence[Limit]) -> tuple[int, str]:
    """Return how many of `asked` users can connect, and a sentence that says why not all ("" if all can)."""
    lower = sorted((limit for limit in limits if limit.users < asked), key=lambda limit: limit.users)
    if not lower:
        return asked, ""
    first, *others = lower
    sentence = f"{first.users:,} of {asked:,} users can connect: {first.why}; {first.remedy}"
    after = next((other for other in others if other.users > first.users), None)
    return first.users, sentence + (f" (next limit: {after.name}, at {after.users:,})" if after else "")


class ContainerLimits(NamedTuple):
    """The limits of a chat server's container: open files of a process, tasks, and bytes of memory."""

    files: int
    pids: int
    memory_bytes: int


def container_limits(need: Need, facts: Facts) -> ContainerLimits:
    """Return what a server for that needs, and twice that memory, within the limits of engine and machine."""
    users, processes = need.users, need.processes
    mean = users / processes
    files = SPARE_FILES + math.ceil(mean + (SPREAD * math.sqrt(mean) if processes > 1 else 0))
    bytes_wanted = LEAST_CONTAINER_BYTES + processes * PROCESS_BYTES
    bytes_wanted += int(2 * users * (need.server_kib + need.kernel_kib) * 1024)
    return ContainerLimits(
        files=min(_power(files), facts.engine_files or _power(files)),
        pids=users * need.threads_per_user + processes + SPARE_TASKS,
        memory_bytes=min(bytes_wanted, int(facts.memory_bytes * USED_SHARE)) if facts.memory_bytes else bytes_wanted,
    )


def processes_for(users: int, room: int) -> int:
    """Return how many processes share `users` so that no process gets more than `room`."""
    return next((count for count in range(1, MOST_PROCESSES) if _shared(room, count) >= users), MOST_PROCESSES)


def _shared(room: float, processes: int) -> int:
    """Return how many users `processes` processes can share if each has `room`.

    With a mean share of x, a process gets up to x + SPREAD * sqrt(x).
    """
    if processes == 1:
        return max(0, int(room))
    root = math.sqrt(max(0.0, room) + SPREAD**2 / 4) - SPREAD / 2
    return int(root**2) * processes


def _files(facts: Facts, need: Need) -> Iterator[Limit]:
    files = facts.engine_files if need.container else facts.files
    if files is not None:
        room = files - SPARE_FILES
        more = _power(need.users // need.processes + SPARE_FILES)
        here = "in a container, because the engine has no more" if need.container else "on this machine (hard limit)"
        raised = (
            f"LimitNOFILE={more} of the engine's service raises it"
            if need.container
            else f"`ulimit -n {more}` in a root shell raises it"
        )
        yield Limit(
            "open files of the server",
            _shared(room, need.processes),
            f"a process may have {files:,} open files {here}",
            _division(need, room) + raised,
        )
        yield Limit(
            "open files of the client",
            max(0, room) * need.client_processes,
            f"each of the client's {need.client_processes} processes may have {files:,} open files {here}",
            (f"{math.ceil(need.users / room)} client processes would be enough, or " if room > 0 else "") + raised,
        )
    if facts.files_machine is not None:
        yield Limit(
            "open files of the machine",
            facts.files_machine // 2,  # both ends
            f"this machine may open {facts.files_machine:,} more files, and a user needs two",
            f"`sysctl -w fs.file-max={_power(4 * need.users)}` raises it",
        )


def _ports(facts: Facts, need: Need) -> Iterator[Limit]:
    local = math.ceil(need.users / SOURCE_USERS) if facts.many_loopbacks else 1
    sources = (need.client_containers or need.client_processes) if need.container else local
    if facts.ports is not None:
        # A wider range is not a remedy: connections would then use ports that servers need.
        yield Limit(
            "source ports",
            facts.ports * sources,
            f"an address has {facts.ports:,} ports for connections to one server, and the client has "
            f"{sources} address{'es' if sources > 1 else ''}",
            f"{math.ceil(need.users / max(1, facts.ports))} addresses are enough: as many client containers",
        )


def _threads(facts: Facts, need: Need) -> Iterator[Limit]:
    each = need.threads_per_user
    if not each:
        return
    wanted = need.users * each + SPARE_TASKS
    if facts.maps is not None:
        room = (facts.maps - PROCESS_MAPS) // (THREAD_MAPS * each)
        more = _power(need.users // need.processes * each * THREAD_MAPS + PROCESS_MAPS)
        yield Limit(
            "memory maps",
            _shared(room, need.processes),
            f"a process may have {facts.maps:,} memory maps, and a thread takes {THREAD_MAPS}",
            f"{_division(need, room)}`sysctl -w vm.max_map_count={more}` raises it",
        )
    machine = (
        ("kernel.pid_max", facts.pid_max, f"`sysctl -w kernel.pid_max={_power(2 * wanted)}` raises it"),
        ("kernel.threads-max", facts.threads_max, f"`sysctl -w kernel.threads-max={_power(2 * wanted)}` raises it"),
    )
    own = (
        ("a user's threads", facts.user_tasks, f"`ulimit -u {_power(wanted)}` in a root shell raises it"),
        ("the control group's tasks", facts.group_tasks, f"TasksMax={_power(wanted)} of its systemd unit raises it"),
    )
    for name, left, remedy in machine if need.container else (*machine, *own):
        if left is not None:
            room = max(0, left - SPARE_TASKS)
            yield Limit(name, room // each, f"{left:,} more threads can be started on this machine ({name})", remedy)


def _memory(facts: Facts, need: Need) -> Iterator[Limit]:
    places = (
        ("memory", facts.memory_bytes, "a machine with more memory"),
        (
            "the control group's memory",
            None if need.container else facts.group_memory_bytes,
            "a higher limit of the control group",
        ),
    )
    user_bytes = (need.server_kib + need.kernel_kib + need.client_kib) * 1024
    for name, left, remedy in places:
        if left is not None:
            room = left * USED_SHARE - (need.processes + need.client_processes) * PROCESS_BYTES
            yield Limit(
                name,
                max(0, int(room / user_bytes)),
                f"{left / 2**30:.1f} GiB are left ({name}), and a user takes about {user_bytes / 1024:.0f} KiB",
                f"stop other programs, or use {remedy}",
            )


def _network(facts: Facts, need: Need) -> Iterator[Limit]:
    if facts.tracked is not None:
        yield Limit(
            "tracked connections",
            facts.tracked,
            f"the firewall can track {facts.tracked:,} more connections",
            f"`sysctl -w net.netfilter.nf_conntrack_max={_power(2 * need.users)}` raises it",
        )
    if facts.buffers_bytes is not None:
        pages = facts.buffers_bytes // 4096
        yield Limit(
            "TCP buffers",
            pages // 2,  # each end may hold a page while data is in flight
            f"TCP may use {facts.buffers_bytes / 2**20:,.0f} MiB more, and the two ends of a connection need two pages",
            "raise the third number of net.ipv4.tcp_mem with `sysctl -w`",
        )


def _division(need: Need, room: float) -> str:
    if not need.divisible or room <= 0:
        return ""
    return f"PROCESSES={processes_for(need.users, int(room))} shares the users among server processes, or "


def _power(least: float) -> int:
    """Return the smallest power of two that is at least `least`: limits are usually such numbers."""
    return 1 << max(0, math.ceil(least) - 1).bit_length()
