"""The only reader of /proc and /sys (man 5 proc): of files on this machine, and of texts from a container.

What cannot be read is None, or empty: on another platform, or if a process has ended or belongs to another user.
"""

import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PROC, SYS = Path("/proc"), Path("/sys")
GROUPS = SYS / "fs/cgroup"
TABLES = (f"{PROC}/net/tcp", f"{PROC}/net/tcp6")
ESTABLISHED, SYN_RECV, LISTEN = 1, 3, 10  # include/net/tcp_states.h
LINEAR_TIMEOUTS = "net.ipv4.tcp_syn_linear_timeouts"
BACKLOG_MAX = "net.core.somaxconn"
SETTINGS = "network settings"  # their name in run.json's environment
NETWORK_SETTINGS = (LINEAR_TIMEOUTS, "net.ipv4.tcp_abort_on_overflow", BACKLOG_MAX)
BUSY, STEAL = (0, 1, 2, 5, 6), 7  # columns of /proc/stat; those of BUSY are user, nice, system, irq, softirq
SWITCHES = "voluntary_ctxt_switches"
Address = tuple[str, int]
_FAMILIES = {8: socket.AF_INET, 32: socket.AF_INET6}  # by the hexadecimal digits of an address in net/tcp and net/tcp6


def read(path: Path) -> str:
    """Return the content of a file; raises OSError if it cannot be read."""
    return path.read_text(encoding="utf-8", errors="replace")


def text(path: Path) -> str:
    """Return the content of a file, "" if it cannot be read."""
    try:
        return read(path)
    except OSError:
        return ""


def numbers(path: Path) -> list[int]:
    """Return the numbers in a file; other words, such as "max", are left out."""
    return [int(word) for word in text(path).split() if word.isdigit()]


def number(path: Path) -> int | None:
    """Return the first number in a file."""
    return next(iter(numbers(path)), None)


def listed(content: str) -> list[int]:
    """Return the numbers of a list such as "0-3,8"; a part that is no number or range is left out."""
    parts = (part.partition("-") for part in content.strip().split(","))
    spans = [(first, last or first) for first, _, last in parts if first.isdigit() and (last or first).isdigit()]
    return [each for first, last in spans for each in range(int(first), int(last) + 1)]


def fields(content: str) -> dict[str, str]:
    """Return the fields of lines such as "Uid:  0  0  0  0", as status, meminfo and cpuinfo have them."""
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in content.splitlines())}


def sizes(content: str) -> dict[str, int]:
    """Return the numbers of such lines, in bytes where they are in kB."""
    found = {name: value.split() for name, value in fields(content).items()}
    return {
        name: int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
        for name, words in found.items()
        if words and words[0].isdigit()
    }


def pairs(content: str) -> dict[str, int]:
    """Return the numbers of lines such as "nr_throttled 7", as the files of control groups have them."""
    found = [line.split() for line in content.splitlines()]
    return {words[0]: int(words[1]) for words in found if len(words) == 2 and words[1].isdigit()}


def counters(content: str, group: str) -> dict[str, int]:
    """Return a group of counters of net/netstat or net/snmp, which has two lines: names, then numbers."""
    lines = [line.split()[1:] for line in content.splitlines() if line.startswith(f"{group}:")]
    if len(lines) != 2:
        return {}
    return {name: int(value) for name, value in zip(*lines, strict=False) if value.lstrip("-").isdigit()}


def setting_path(name: str, proc: Path = PROC) -> Path:
    """Return the file of a kernel setting, such as net.core.somaxconn (man 8 sysctl)."""
    return proc / "sys" / name.replace(".", "/")


def network_settings(lines: str | None = None, proc: Path = PROC) -> dict[str, int]:
    """Return NETWORK_SETTINGS of a network namespace: this one's, or of `lines` such as "/proc/sys/net/...:4".

    Nothing where they cannot be read. Linux before 6.5 has no linear timeouts, which is 0 of them.
    """
    paths = {name: setting_path(name, proc) for name in NETWORK_SETTINGS}
    known = {name: number(path) for name, path in paths.items()}
    if lines is not None:
        there = sizes(lines)
        known = {name: there.get(str(path)) for name, path in paths.items()}
    found = {name: value for name, value in known.items() if value is not None}
    return {LINEAR_TIMEOUTS: 0, **found} if found else {}


def total(pids: Iterable[int], name: str, proc: Path = PROC) -> int | None:
    """Return the sum of one number of the status of these processes; None if it is missing in all of them."""
    found = [sizes(text(proc / str(pid) / "status")).get(name) for pid in pids]
    known = [value for value in found if value is not None]
    return sum(known) if known else None


def limit(pid: int, name: str, proc: Path = PROC, *, hard: bool = False) -> int | None:
    """Return a limit of a process, such as "Max open files", the soft one; None is unlimited."""
    for line in text(proc / str(pid) / "limits").splitlines():
        if line.startswith(name):
            word = line.removeprefix(name).split()[int(hard)]
            return int(word) if word.isdigit() else None
    return None


def open_files(pid: int, proc: Path = PROC) -> int | None:
    """Return how many files a process has open."""
    try:
        return len(os.listdir(f"{proc}/{pid}/fd"))  # noqa: PTH208 (a Path for each of 20,000 files is not needed)
    except OSError:
        return None


def thread_statuses(pid: int, proc: Path = PROC) -> Iterator[str]:
    """Return the status of each thread of a process: about 0.1 ms a thread."""
    folder = f"{proc}/{pid}/task"
    try:
        threads = os.listdir(folder)  # noqa: PTH208 (a Path for each of 10,000 threads would cost as much again)
    except OSError:
        return
    yield from (text(Path(f"{folder}/{thread}/status")) for thread in threads)


def split_statuses(content: str) -> list[str]:
    """Return the statuses in a text that has several of them."""
    return re.split(r"^(?=Name:)", content, flags=re.MULTILINE)[1:]


def switches(status: str) -> tuple[int, int]:
    """Return the voluntary and the involuntary context switches of a thread."""
    last = sizes(status[status.rfind(f"\n{SWITCHES}") :])  # the last of sixty lines
    return last.get(SWITCHES, 0), last.get(f"non{SWITCHES}", 0)


def tasks(proc: Path = PROC) -> int | None:
    """Return how many processes and threads this machine has: the second number of "3/412" in loadavg."""
    words = text(proc / "loadavg").split()
    return int(words[3].partition("/")[2]) if len(words) > 3 else None


def cpu_times(proc: Path = PROC) -> tuple[float | None, float | None]:
    """Return the busy time of all cores, and the time that the hypervisor stole, in seconds."""
    columns = [int(word) for word in text(proc / "stat").partition("\n")[0].split()[1:]]
    if not columns:
        return None, None
    tick = os.sysconf("SC_CLK_TCK")
    return sum(columns[column] for column in BUSY) / tick, columns[STEAL] / tick


def groups(pid: int | str, proc: Path = PROC) -> dict[str, str]:
    """Return the path of a process's control group by controller; version 2 has one for all, under the name ""."""
    lines = [line.split(":", 2) for line in text(proc / str(pid) / "cgroup").splitlines()]
    return {controller: line[2] for line in lines if len(line) == 3 for controller in line[1].split(",")}


def own_groups(proc: Path, mounted: Path, controller: str) -> Iterator[Path]:
    """Return the folders of this process's control group and of those around it, v1 or v2, for a controller."""
    for name, path in groups("self", proc).items():
        if name in ("", controller):
            mount, inner = mounted / name, mounted / name / path.lstrip("/")
            yield from (folder for folder in (inner, *inner.parents) if folder == mount or mount in folder.parents)


def sockets_bytes(proc: Path = PROC) -> int | None:
    """Return the memory of TCP's buffers, which net/sockstat counts in pages."""
    words = fields(text(proc / "net/sockstat")).get("TCP", "").split()
    return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE") if "mem" in words else None


class Connection(NamedTuple):
    """A row of net/tcp or net/tcp6: the local port, the state, the remote end and the local host as written there."""

    port: int
    state: int
    written: str
    host: str = ""

    @property
    def other(self) -> Address:
        """The remote IPv4 address, which is written in hex, in the byte order of memory."""
        host, _, port = self.written.partition(":")
        return socket.inet_ntoa(_in_order(host)), int(port, 16)


def connections(content: str) -> Iterator[Connection]:
    """Return the rows of net/tcp or net/tcp6, or of both together."""
    rows = (line.split(maxsplit=4)[1:4] for line in content.splitlines() if not line.lstrip().startswith("sl"))
    ends = ((local.partition(":"), other, int(state, 16)) for local, other, state in rows)
    return (Connection(int(port, 16), state, other, host) for (host, _, port), other, state in ends)


def folder_of(descriptor: int, proc: Path = PROC) -> Path | None:
    """Return where an open folder is now, also after it was moved; None if it is deleted, or that is not known."""
    try:
        found = (proc / "self/fd" / str(descriptor)).readlink()
    except OSError:
        return None
    return found if found.is_dir() else None


def pid_namespace(proc: Path = PROC) -> str:
    """Return the namespace in which process numbers of this process mean something; "" on other systems."""
    try:
        return str((proc / "self/ns/pid").readlink())
    except OSError:
        return ""


def tables() -> str:
    """Return the kernel's tables of TCP connections, those of IPv4 and IPv6."""
    return "".join(text(Path(table)) for table in TABLES)


def listens(content: str, port: int) -> bool:
    """Return whether a process listens on a port, without connecting to it."""
    return any(row.port == port and row.state == LISTEN for row in connections(content))


def reached_at(content: str, port: int) -> str | None:
    """Return the loopback address by which a client of this machine reaches a port; None if no process listens there.

    A socket that listens on another address only is reached at none, too.
    """
    hosts = {row.host for row in connections(content) if row.port == port and row.state == LISTEN}
    written = [socket.inet_ntop(_FAMILIES[len(host)], _in_order(host)) for host in hosts if len(host) in _FAMILIES]
    known = {host.removeprefix("::ffff:") for host in written}  # an IPv6 socket of an IPv4 address, as Java's are
    for any_address, loopback in (("0.0.0.0", "127.0.0.1"), ("::", "::1")):  # noqa: S104 (compared, not bound)
        if known & {any_address, loopback}:
            return loopback
    return min((host for host in known if host.startswith("127.")), default=None)


def traced_by(tracer: int, proc: Path = PROC) -> list[int]:
    """Return the processes that a process traces, such as strace, by their numbers."""
    found = (path for path in proc.iterdir() if path.name.isdigit())
    return sorted(int(path.name) for path in found if sizes(text(path / "status")).get("TracerPid") == tracer)


def _in_order(written: str) -> bytes:
    """Return the bytes of an address that is written as words in the byte order of memory."""
    return b"".join(struct.pack("=I", int(written[at : at + 8], 16)) for at in range(0, len(written), 8))
