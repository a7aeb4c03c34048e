"""What a server and the kernel hold at one moment: for a crowd that mostly waits, memory and threads tell it all."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iolab.results.records import Holding
from iolab.runtime import Server

PROC = Path("/proc")
KIB = 1024


def read(server: Server, proc: Path = PROC) -> Holding:
    """Return all that Holding says but the collector's pause; what this platform does not tell is None.

    Not while users click: each thread's own file is read for its context switches, 0.05 to 0.12 ms a thread (measured
    with 1,000 and with 10,000 threads), up to a second for 10,000. A thread that ended takes its switches with it.
    """
    pids = server.pids()  # first, for it finds the processes that a snapshot then counts
    usage = server.snapshot()
    own = Processes.read(pids, proc)
    table = _table(_text(proc / "meminfo"))
    return Holding(
        cpu_s=usage.cpu_s,
        rss_bytes=usage.rss_bytes,
        virtual_bytes=own.virtual_bytes,
        threads=usage.threads if own.threads is None else own.threads,
        context_switches=own.context_switches,
        sockets_bytes=sockets_bytes(_text(proc / "net" / "sockstat")),
        slab_bytes=table.get("Slab"),
        stacks_bytes=table.get("KernelStack"),
        tables_bytes=table.get("PageTables"),
    )


@dataclass(frozen=True)
class Processes:
    """Sums over the processes of a server; None where none of them can be read."""

    virtual_bytes: int | None = None
    threads: int | None = None
    context_switches: int | None = None

    @classmethod
    def read(cls, pids: Sequence[int], proc: Path = PROC, *, switches: bool = True) -> "Processes":
        """Read what /proc says of them; one that has ended counts nothing. Switches are what takes long."""
        tables = [_table(_text(proc / str(pid) / "status")) for pid in pids]
        return cls(
            virtual_bytes=_sum(tables, "VmSize"),
            threads=_sum(tables, "Threads"),
            context_switches=context_switches(pids, proc) if switches and any(tables) else None,
        )


def context_switches(pids: Iterable[int], proc: Path = PROC) -> int:
    """Return how often the threads of these processes gave up a core, or had to."""
    total = 0
    for pid in pids:
        folder = f"{proc}/{pid}/task"
        try:
            tasks = os.listdir(folder)  # noqa: PTH208 (a Path for each of 10,000 threads would cost as much again)
        except OSError:
            continue
        for task in tasks:
            text = _text(Path(f"{folder}/{task}/status"))
            table = _table(text[text.rfind("\nvoluntary_ctxt_switches") :])  # the last of sixty lines
            total += table.get("voluntary_ctxt_switches", 0) + table.get("nonvoluntary_ctxt_switches", 0)
    return total


def sockets_bytes(sockstat: str) -> int | None:
    """Return what TCP's buffers take, of the text of /proc/net/sockstat: there it is in pages."""
    for line in sockstat.splitlines():
        name, *words = line.split()
        if name == "TCP:" and "mem" in words:
            return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def _table(text: str) -> dict[str, int]:
    """Return the numbers of a text of lines such as "VmSize:  8192 kB" (man 5 proc), sizes in bytes."""
    numbers = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            numbers[name] = int(words[0]) * (KIB if words[1:] == ["kB"] else 1)
    return numbers


def _sum(tables: Sequence[dict[str, int]], name: str) -> int | None:
    return sum(table.get(name, 0) for table in tables) if any(name in table for table in tables) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
